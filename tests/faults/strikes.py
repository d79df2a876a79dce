"""The faults: each strikes the servers or the workers of a loaded site, and is over when its function returns."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .proxy import Proxy
from .servers import Postgres, RedisServer, Sentinel, wait_until

if TYPE_CHECKING:  # it imports models, and Django is set up later
    from .site import LoadedSite

#: How many jobs are due at once.
DUE = int(os.environ.get('FAULTS_DUE', '50000'))
#: Name of the table that is locked.
_JOBS = 'netbox_jobs_job'
_DATABASE = 'test_netbox_jobs'
_ENDED = f'SELECT id, completed FROM {_JOBS}'


@dataclass
class Servers:
    """The servers of a case."""

    folder: Path
    redis: RedisServer
    database: Any
    #: A second server: the replica, or the one that Redis is told to follow.
    second: Any = None
    #: What stands before the database, and before Redis.
    proxy: Any = None
    redis_proxy: Proxy | None = None
    #: What decides which Redis is the primary.
    sentinels: list[Sentinel] = field(default_factory=list)
    #: The jobs that the database itself has lost in a failover.
    gone: set[int] = field(default_factory=set)
    #: Those that had not ended for the replica when it was promoted.
    forgotten: set[int] = field(default_factory=set)


Strike = Callable[[Servers, 'LoadedSite'], None]


# The database


def kill_database(servers: Servers, site: 'LoadedSite') -> None:
    servers.database.signal(signal.SIGKILL)
    site.run_on(4)
    servers.database.start()


def stop_at_once(servers: Servers, site: 'LoadedSite') -> None:
    servers.database.signal(signal.SIGQUIT)
    site.run_on(4)
    servers.database.start()


def take_connections(servers: Servers, site: 'LoadedSite') -> None:
    taken: list[Any] = []
    over = time.monotonic() + 15
    while time.monotonic() < over:
        try:
            taken.append(servers.database.session(**({} if servers.database.user == 'postgres' else {'user': 'jobs'})))
        except Exception:
            site.run_on(0.5)
            if len(taken) < 400 and servers.database.user == 'postgres':
                with suppress(Exception):  # those of the workers are taken as well
                    taken[0].execute(
                        'SELECT pg_terminate_backend(pid) FROM pg_stat_activity '
                        f"WHERE datname = '{_DATABASE}' AND state = 'idle'"
                    )
    for session in taken:
        with suppress(Exception):
            session.close()


def read_only(servers: Servers, site: 'LoadedSite') -> None:
    servers.database.set(default_transaction_read_only='on')
    site.run_on(15)
    servers.database.set(default_transaction_read_only='')


def read_only_mariadb(servers: Servers, site: 'LoadedSite') -> None:
    servers.database.execute('SET GLOBAL read_only = 1')
    site.run_on(15)
    servers.database.execute('SET GLOBAL read_only = 0')


def lock_table(servers: Servers, site: 'LoadedSite') -> None:
    with servers.database.session(_DATABASE) as session:
        if servers.database.user == 'postgres':
            session.execute(f'BEGIN; LOCK TABLE {_JOBS} IN ACCESS EXCLUSIVE MODE')
        else:
            session.cursor().execute(f'LOCK TABLES {_JOBS} WRITE')
        site_deadline = time.monotonic() + 60
        while time.monotonic() < site_deadline:
            time.sleep(0.5)


def time_out(servers: Servers, site: 'LoadedSite') -> None:
    servers.database.set(lock_timeout='100ms', statement_timeout='200ms')
    with servers.database.session(_DATABASE) as session:
        session.execute("SET statement_timeout = 0; SET lock_timeout = '60s'")
        for _ in range(10):
            session.execute(f'BEGIN; LOCK TABLE {_JOBS} IN ACCESS EXCLUSIVE MODE')
            time.sleep(1)
            session.execute('COMMIT')
            time.sleep(0.5)
    servers.database.set(lock_timeout='', statement_timeout='')


def replicate(servers: Servers) -> None:
    servers.second = Postgres(servers.folder / 'replica')
    servers.second.follow(servers.database)
    state = 'SELECT state FROM pg_stat_replication'
    wait_until(lambda: servers.database.execute(state) == [('streaming',)], 60, 'the replica')


def replicate_synchronously(servers: Servers) -> None:
    replicate(servers)
    servers.database.set(synchronous_standby_names='*')
    state = 'SELECT sync_state FROM pg_stat_replication'
    wait_until(lambda: servers.database.execute(state) == [('sync',)], 60, 'the synchronous replica')


def fail_over(servers: Servers, site: 'LoadedSite') -> None:
    if servers.database.process.poll() is None:
        servers.database.signal(signal.SIGKILL)
    site.run_on(2)
    servers.second.promote()
    wait_until(lambda: servers.second.execute('SELECT pg_is_in_recovery()') == [(False,)], 60, 'the promotion')
    ended = {pk: moment is not None for pk, moment in servers.second.execute(_ENDED, _DATABASE)}
    servers.gone = set(site.enqueued) - ended.keys()
    servers.forgotten = {pk for pk, known in ended.items() if not known}
    servers.proxy.switch(servers.second.port)


def fail_over_behind(servers: Servers, site: 'LoadedSite') -> None:
    """The replica receives nothing for the last two seconds."""
    [(receiver,)] = servers.second.execute('SELECT pid FROM pg_stat_wal_receiver')
    os.kill(receiver, signal.SIGSTOP)
    site.run_on(2)
    servers.database.signal(signal.SIGKILL)
    # What it has in its socket is lost with it; the replica starts anew.
    os.kill(receiver, signal.SIGKILL)
    wait_until(servers.second.answers, 60, 'the replica after the death of its receiver')
    fail_over(servers, site)


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Have a folder on a disk of its own, of 200 MB."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=200m,mode=0700', 'tmpfs', str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(['umount', '-l', str(folder)], check=False)


def fill_disk(servers: Servers, site: 'LoadedSite') -> None:
    filler = servers.database.folder / 'filler'
    with suppress(OSError), filler.open('wb') as file:
        while True:
            file.write(b'x' * 65536)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        site.run_on(1)
        with suppress(OSError), filler.open('ab') as file:  # what the server has given up is taken as well
            file.write(b'x' * 8192)
    filler.unlink()
    if servers.database.process.poll() is not None or not servers.database.answers():
        servers.database.kill()
        servers.database.start()


def drop_database(servers: Servers, site: 'LoadedSite') -> None:
    servers.proxy.drops = True
    time.sleep(20)
    servers.proxy.switch(servers.database.port)


def kill_pooler(servers: Servers, site: 'LoadedSite') -> None:
    servers.proxy.kill()
    site.run_on(4)
    servers.proxy.start()


# The machine


def jump(seconds: str) -> Strike:
    def strike(servers: Servers, site: 'LoadedSite') -> None:
        """Another worker's clock jumps, and jumps back."""
        moment = servers.folder / 'clock'
        moment.write_text('+0')
        library = next(Path('/usr/lib').glob('*/faketime/libfaketime.so.1'))
        site.start_own_worker(
            LD_PRELOAD=str(library), FAKETIME_TIMESTAMP_FILE=str(moment), FAKETIME_CACHE_DURATION='1',
            FAKETIME_DONT_FAKE_MONOTONIC='1', FAKETIME_NO_CACHE='1',
        )  # fmt: skip
        site.run_on(8)
        moment.write_text(seconds)
        site.run_on(15)
        moment.write_text('+0')
        site.run_on(3)

    return strike


def fill_logs(servers: Servers, site: 'LoadedSite') -> None:
    """The disk of the workers' logs is full: all are started anew with such a log, and one of them is killed."""
    for worker in site.workers:
        worker.discard()
    site.workers.clear()
    for _ in range(site.size):
        site.start_worker(log=Path('/dev/full'))
    site.run_on(8)
    site.workers[0].kill()
    site.run_on(8)


def refuse_forks(servers: Servers, site: 'LoadedSite') -> None:
    """The system has no room for another process, and the children that there are die."""
    Path(os.environ['TEST_FORKS_FAIL']).touch()
    for _ in range(15):
        for worker in site.workers:
            for pid in worker.horses():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        site.run_on(1)
    Path(os.environ['TEST_FORKS_FAIL']).unlink()


def starve(servers: Servers, site: 'LoadedSite') -> None:
    """Jobs take all the memory that their processes may have; every other one leaves nothing for its own end."""
    for number in range(20):
        site.enqueue_starving(for_good=number % 2 == 0)
        site.run_on(1)


# Load


def due_at_once(servers: Servers, site: 'LoadedSite') -> None:
    """So many jobs are due in the same moment, with periodic ones and callers beside them."""
    site.enqueue_for_one_moment(DUE)
    wait_until(site.is_drained, 850, 'the end of all that was due')


def away_for_a_day(servers: Servers, site: 'LoadedSite') -> None:
    """No worker runs for a day; then the schedules of every minute run once each, and go on."""
    site.bring_forward = False
    for worker in site.workers:
        worker.discard()
    site.workers.clear()
    before = site.put_back_a_day()
    for _ in range(site.size):
        site.start_worker()
    wait_until(lambda: all(site.occurrences_since(before).values()), 60, 'a run of each')
    site.run_on(10)
    # A minute may have passed meanwhile.
    assert max(site.occurrences_since(before).values()) <= 2, 'what was missed ran more than once'
    assert site.is_next_within(60), 'the schedules do not go on by the minute'

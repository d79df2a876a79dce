"""Servers of our own in a temporary folder, which a case may kill, stop, fill and start again."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.lifetime import tied


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """Wait until a condition is true, and return its value."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with suppress(Exception):
            if value := condition():
                return value
        time.sleep(0.1)
    raise AssertionError(f'waited {seconds} s for {what}')


class Server:
    """A server process, which ends with this one."""

    process: subprocess.Popen[bytes]

    def __init__(self, folder: Path, user: str) -> None:
        self.folder, self.port, self.user = folder, free_port(), user
        folder.mkdir(parents=True, exist_ok=True)

    def start(self) -> None:
        """Start it, and wait until it answers; again if what a killed one has left is in the way."""
        deadline = time.monotonic() + 60
        while True:
            with (self.folder.parent / f'{self.folder.name}.log').open('ab') as log:
                self.process = subprocess.Popen(self.as_user(self.command(), tie=True), stdout=log, stderr=log, cwd='/')
            while self.process.poll() is None and time.monotonic() < deadline:
                if self.answers():
                    return
                time.sleep(0.1)
            assert time.monotonic() < deadline, f'{type(self).__name__} does not start'
            time.sleep(0.3)

    def as_user(self, command: list[str], *, tie: bool = False) -> list[str]:
        """Return a command that runs as the server's user: PostgreSQL refuses to run as root."""
        if os.getuid() != 0 or not self.user:
            return tied(command) if tie else command
        end = ('--pdeathsig', 'KILL') if tie else ()
        return ['setpriv', f'--reuid={self.user}', f'--regid={self.user}', '--init-groups', *end, *command]

    def own(self, path: Path) -> None:
        """Give a path to the server's user."""
        if os.getuid() == 0 and self.user:
            known = pwd.getpwnam(self.user)
            os.chown(path, known.pw_uid, known.pw_gid)

    def signal(self, number: int) -> None:
        """Send it a signal, and wait for its end unless it is to stand still or go on."""
        self.process.send_signal(number)
        if number not in (signal.SIGSTOP, signal.SIGCONT):
            self.process.wait(60)

    def kill(self) -> None:
        """Kill it."""
        if hasattr(self, 'process') and self.process.poll() is None:
            self.process.kill()
            self.process.wait(60)

    def command(self) -> list[str]:
        """Return what starts it."""
        raise NotImplementedError

    def answers(self) -> bool:
        """Return whether it takes commands."""
        raise NotImplementedError


class Postgres(Server):
    """PostgreSQL, with its defaults, or a streaming replica of another one."""

    def __init__(self, folder: Path, **settings: str) -> None:
        super().__init__(folder, 'postgres')
        self.settings = settings
        found = sorted(Path('/usr/lib/postgresql').glob('*/bin'))
        self.programs = found[-1] if found else Path(shutil.which('initdb') or '/usr/bin/initdb').parent

    @property
    def url(self) -> str:
        return f'postgres://postgres@127.0.0.1:{self.port}/netbox_jobs'

    def create(self) -> None:
        """Make an empty one, and start it."""
        self.own(self.folder)
        self._run('initdb', '-D', str(self.folder), '-A', 'trust', '-U', 'postgres', '-E', 'UTF8', '--no-sync')
        self.start()

    def follow(self, primary: 'Postgres') -> None:
        """Become a streaming replica, and start."""
        self.own(self.folder)
        self.folder.chmod(0o700)
        self._run('pg_basebackup', '-D', str(self.folder), '-R', '-h', '127.0.0.1', '-p', str(primary.port),
                  '-U', 'postgres', '-c', 'fast')  # fmt: skip
        self.start()

    def promote(self) -> None:
        """Become a primary, which waits for no replica."""
        self.execute('SELECT pg_promote()')
        self.set(synchronous_standby_names='')

    def execute(self, sql: str, database: str = 'postgres', **options: Any) -> list[Any]:
        """Execute statements in a session of its own; return the rows of the last."""
        with self.session(database, **options) as session:
            cursor = session.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def session(self, database: str = 'postgres', **options: Any) -> Any:
        """Open a session."""
        import psycopg

        return psycopg.connect(
            host='127.0.0.1', port=self.port, user='postgres', dbname=database, autocommit=True, connect_timeout=5,
            **options,
        )  # fmt: skip

    def set(self, **settings: str) -> None:
        """Change settings for all sessions."""
        with self.session() as session:
            session.execute('SET default_transaction_read_only = off')
            for name, value in settings.items():
                session.execute(f"ALTER SYSTEM SET {name} = '{value}'" if value else f'ALTER SYSTEM RESET {name}')
            session.execute('SELECT pg_reload_conf()')

    def command(self) -> list[str]:
        given = [part for name, value in self.settings.items() for part in ('-c', f'{name}={value}')]
        return [
            *(str(self.programs / 'postgres'), '-D', str(self.folder), '-p', str(self.port)),
            *('-c', 'listen_addresses=127.0.0.1', '-c', f'unix_socket_directories={self.folder}', *given),
        ]

    def answers(self) -> bool:
        with suppress(Exception):
            return bool(self.execute('SELECT 1'))
        return False

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            self.as_user([str(self.programs / program), *arguments]), check=True, cwd='/', stdout=subprocess.DEVNULL
        )


class PgBouncer(Server):
    """PgBouncer in transaction mode before a PostgreSQL, with ten sessions for all."""

    def __init__(self, folder: Path, postgres: Postgres) -> None:
        super().__init__(folder, 'postgres')
        self.postgres = postgres

    def create(self) -> None:
        """Configure and start it."""
        (self.folder / 'users.txt').write_text('"postgres" ""\n')
        (self.folder / 'pgbouncer.ini').write_text(
            f'[databases]\n* = host=127.0.0.1 port={self.postgres.port}\n'
            f'[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\n'
            f'auth_type = trust\nauth_file = {self.folder}/users.txt\npool_mode = transaction\ndefault_pool_size = 10\n'
            'max_client_conn = 200\n'
        )
        self.start()

    def command(self) -> list[str]:
        return ['pgbouncer', str(self.folder / 'pgbouncer.ini')]

    def answers(self) -> bool:
        with suppress(OSError), socket.create_connection(('127.0.0.1', self.port), 1):
            return True
        return False


class MariaDB(Server):
    """MariaDB, with its defaults; the workers use an account that may not write to a server that is read-only."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, 'mysql')

    @property
    def url(self) -> str:
        return f'mysql://jobs@127.0.0.1:{self.port}/netbox_jobs'

    def create(self) -> None:
        self.own(self.folder)
        command = ['mariadb-install-db', '--no-defaults', f'--datadir={self.folder}',
                   '--auth-root-authentication-method=normal', '--skip-test-db']  # fmt: skip
        subprocess.run(self.as_user(command), check=True, cwd='/', stdout=subprocess.DEVNULL)
        self.start()
        for host in ('127.0.0.1', 'localhost'):
            self.execute(f"CREATE USER jobs@'{host}'")
            self.execute(f"GRANT ALL ON `test_netbox_jobs`.* TO jobs@'{host}'")
            self.execute(f"GRANT PROCESS ON *.* TO jobs@'{host}'")

    def execute(self, sql: str, database: str | None = None) -> Any:
        """Execute a statement in a session of its own, as root."""
        session = self.session(database)
        with session, session.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()

    def session(self, database: str | None = None, user: str = 'root') -> Any:
        """Open a session."""
        import pymysql

        return pymysql.connect(
            host='127.0.0.1', port=self.port, user=user, database=database, autocommit=True, connect_timeout=5
        )

    def command(self) -> list[str]:
        return [
            *('mariadbd', '--no-defaults', f'--datadir={self.folder}', f'--port={self.port}'),
            *(f'--socket={self.folder}/s', f'--pid-file={self.folder}/pid', '--bind-address=127.0.0.1'),
            *('--skip-log-bin', '--character-set-server=utf8mb4'),
        ]

    def answers(self) -> bool:
        with suppress(Exception):
            return bool(self.execute('SELECT 1'))
        return False


class RedisServer(Server):
    """Redis, which keeps nothing."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, '')

    @property
    def url(self) -> str:
        return f'redis://127.0.0.1:{self.port}/0'

    def create(self) -> None:
        self.start()

    def follow(self, primary: 'RedisServer') -> None:
        """Start as a replica of another one, and wait until it has what that has."""
        self.start()
        with self.client() as client:
            client.replicaof('127.0.0.1', primary.port)
            wait_until(lambda: client.info('replication')['master_link_status'] == 'up', 60, 'the replica')

    def client(self) -> Any:
        """Return a client."""
        from redis import Redis

        return Redis(port=self.port, socket_timeout=2)

    def command(self) -> list[str]:
        program = shutil.which('redis-server') or shutil.which('valkey-server') or 'redis-server'
        # A primary writes a file for its replica.
        place = ['--dir', str(self.folder), '--port', str(self.port), '--bind', '127.0.0.1']
        return [program, *place, '--save', '', '--appendonly', 'no']

    def answers(self) -> bool:
        with suppress(Exception), self.client() as client:
            return bool(client.ping())
        return False


class Sentinel(RedisServer):
    """One of those that watch a Redis, and make its replica the primary if it dies."""

    def __init__(self, folder: Path, watched: RedisServer) -> None:
        super().__init__(folder)
        self._settings = folder / 'sentinel.conf'
        self._settings.write_text(
            f'port {self.port}\nbind 127.0.0.1\ndir {folder}\nsentinel monitor jobs 127.0.0.1 {watched.port} 2\n'
            'sentinel down-after-milliseconds jobs 2000\nsentinel failover-timeout jobs 10000\n'
        )

    def command(self) -> list[str]:
        return [super().command()[0], str(self._settings), '--sentinel']

    def primary(self) -> int:
        """Return the port of the Redis that it takes for the primary."""
        with self.client() as client:
            return int(client.sentinel_get_master_addr_by_name('jobs')[1])

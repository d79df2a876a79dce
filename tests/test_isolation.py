"""A run of the tests touches no data that is not its own, and leaves no process behind."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from tests.lifetime import tied
from tests.processes import ROOT, RedisProcess, is_alive, wait_for

pytestmark = [pytest.mark.process, pytest.mark.once]

HERE = Path(__file__).parent

# A worker with a job in it and a server of the test's own; then nothing, until pytest is gone.
HANGING = """
import json, os, threading
import pytest
from django.conf import settings
from pathlib import Path
from tests import nursery
from tests.app.jobs import Sleeping
from tests.processes import RedisProcess, WorkerProcess, wait_for

@pytest.mark.process
@pytest.mark.django_db(transaction=True)
def test_hanging(tmp_path):
    server = RedisProcess()
    worker = WorkerProcess(tmp_path / 'worker.log')
    Sleeping.enqueue()
    wait_for(worker.horses)
    told = {
        'pids': [server.pid, worker.pid, *worker.horses(), *(each.pid for each in nursery._nurseries.values())],
        'redis': settings.RQ_QUEUES['default']['URL'], 'database': settings.DATABASES['default']['NAME'],
    }
    path = Path(os.environ['TELL'])
    path.with_suffix('.part').write_text(json.dumps(told))
    path.with_suffix('.part').rename(path)
    threading.Event().wait()
"""


def pytest_command(*arguments):
    return [sys.executable, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', *map(str, arguments)]


def bare(**more):
    """The environment of a newcomer, who has set no variable of ours."""
    ours = ('TEST_', 'PYTEST_', 'DJANGO_')
    return {**{name: value for name, value in os.environ.items() if not name.startswith(ours)}, **more}


@pytest.fixture
def foreign():
    """A server of another user, and what may be put into its databases."""
    server = RedisProcess()
    yield server
    server.kill()


@pytest.mark.parametrize(
    ('options', 'number'), [((), 0), (('-n', '2'), 1), (('--tx', '2*popen', '--dist', 'load'), 1)],
    ids=['alone', 'divided', 'divided otherwise'],
)  # fmt: skip
def test_a_redis_database_with_other_keys_is_left_alone(foreign, options, number):
    url = f'redis://127.0.0.1:{foreign.port}'
    with Redis.from_url(f'{url}/{number}') as theirs, Redis.from_url(f'{url}/0') as first:
        first.set('rq:jobs', 'a key of RQ')
        theirs.set('the:shop:basket', 'full')
        done = subprocess.run(
            pytest_command('tests/lifecycle/test_signals.py', *options),
            cwd=ROOT, env=bare(TEST_REDIS_URL=f'{url}/0'), capture_output=True, text=True, timeout=170,
        )  # fmt: skip
        said = done.stdout + done.stderr
        assert theirs.get('the:shop:basket') == b'full'
    assert done.returncode != 0 and ' passed' not in said, said
    assert f"{url}/{number} holds other keys than those of RQ ('the:shop:basket' is one)" in said
    assert 'Name another database as TEST_REDIS_URL, or unset it' in said


def test_a_redis_that_does_not_answer_is_named(foreign):
    foreign.kill()
    done = subprocess.run(
        pytest_command('tests/core'), cwd=ROOT, env=bare(TEST_REDIS_URL=foreign.url),
        capture_output=True, text=True, timeout=170,
    )  # fmt: skip
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert f'Redis at {foreign.url} cannot be used' in done.stdout + done.stderr


@pytest.mark.parametrize('options', [(), ('-n', '1')], ids=['alone', 'divided'])
def test_all_that_a_bare_run_uses_is_its_own_and_ends_with_it_when_it_is_killed(tmp_path, options):
    test, tell, output = tmp_path / 'test_hanging.py', tmp_path / 'told.json', tmp_path / 'output'
    test.write_text(HANGING)
    command = tied(pytest_command('-c', ROOT / 'pyproject.toml', test, *options))
    with output.open('wb') as file:
        run = subprocess.Popen(command, cwd=ROOT, env=bare(TELL=str(tell)), stdout=file, stderr=subprocess.STDOUT)
    try:
        wait_for(lambda: tell.exists() or run.poll() is not None, 120, 'the test')
        assert tell.exists(), output.read_text()
    finally:
        run.kill()
        run.wait(60)
    told = json.loads(tell.read_text())
    assert len(told['pids']) == 4
    assert told['database'].startswith(os.environ.get('TMPDIR', '/tmp'))
    wait_for(lambda: not any(map(is_alive, told['pids'])), 60, 'the end of all processes')
    with pytest.raises(RedisConnectionError), Redis.from_url(told['redis']) as client:
        client.ping()


def test_only_tests_with_a_redis_of_their_own_empty_all_of_its_databases():
    """Other processes use the others: their jobs would be in no queue."""
    own = {'chaos/faults.py', 'simulation/acts.py', 'simulation/site.py', 'test_isolation.py'}
    found = {path.relative_to(HERE).as_posix() for path in HERE.glob('**/*.py') if 'flushall' in path.read_text()}
    assert found == own

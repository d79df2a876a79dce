"""A NetBox plugin's unchanged job code, in a project of its own process; the tests stand in the `checks_*.py` here."""

import os
import subprocess
import sys

import pytest
from django.conf import settings

from tests.lifetime import tied
from tests.processes import OUTER, ROOT


@pytest.mark.process
@pytest.mark.timeout(400)
def test_the_unchanged_job_code_of_a_netbox_plugin_runs():
    names = ('aliases', 'background', 'chains', 'jobs', 'loading', 'scripts', 'workers')
    finished = subprocess.run(
        tied([
            *(sys.executable, '-m', 'pytest', *(f'tests/contrib/netbox/checks_{name}.py' for name in names), '--ds'),
            *('tests.contrib.netbox.settings', '--create-db', '-q', '-p', 'no:cacheprovider'),
        ]),
        cwd=ROOT,
        env={
            **{name: value for name, value in os.environ.items() if name not in OUTER},
            'TEST_REDIS_URL': settings.RQ_QUEUES['default']['URL'],
        },
        capture_output=True,
        text=True,
        timeout=360,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert ' passed' in finished.stdout


RUN = """
import django
django.setup()
from django.core.management import call_command
call_command('check', fail_level='WARNING')
call_command('migrate', verbosity=0)
from project.reports.jobs import LongestJobs
for _ in range(2):
    job = LongestJobs.enqueue(immediate=True)
    print(job.status, job.error, job.data)
print(job.log_entries[0]['message'])
"""


@pytest.mark.process
@pytest.mark.once
def test_a_plugin_of_netbox_runs_in_the_project_of_the_demonstration(tmp_path):
    done = subprocess.run(
        tied([sys.executable, '-c', RUN]),
        cwd=ROOT,
        env={
            **os.environ,
            'DJANGO_SETTINGS_MODULE': 'project.settings',
            'DATABASE_URL': f'sqlite:///{tmp_path}/db.sqlite3',
            'PYTHONPATH': str(ROOT),
        },
        capture_output=True,
        text=True,
        timeout=170,
    )
    assert done.returncode == 0, done.stderr
    failed, completed, line = done.stdout.splitlines()[-3:]
    assert failed == 'failed No job has ended yet None'
    assert completed == "completed  {'longest': [1]}"
    assert line.startswith('Longest jobs took 0 minutes, ')

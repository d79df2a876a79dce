"""A NetBox plugin's unchanged job code, in a project of its own process; the tests stand in the `checks_*.py` here."""

import os
import subprocess
import sys

import pytest
from django.conf import settings

from tests.lifetime import tied
from tests.processes import ROOT


@pytest.mark.process
def test_the_unchanged_job_code_of_a_netbox_plugin_runs():
    names = ('aliases', 'background', 'jobs', 'loading', 'workers')
    finished = subprocess.run(
        tied([
            *(sys.executable, '-m', 'pytest', *(f'tests/contrib/netbox/checks_{name}.py' for name in names), '--ds'),
            *('tests.contrib.netbox.settings', '--create-db', '-q', '-p', 'no:cacheprovider'),
        ]),
        cwd=ROOT,
        env={
            **{name: value for name, value in os.environ.items() if name != 'PYTEST_XDIST_WORKER'},
            'TEST_REDIS_URL': settings.RQ_QUEUES['default']['URL'],
        },
        capture_output=True,
        text=True,
        timeout=170,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert ' passed' in finished.stdout

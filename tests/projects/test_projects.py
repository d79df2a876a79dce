"""Projects of other kinds, each in a process of its own; see `tests/projects/`."""

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec

import pytest
from django.conf import settings
from django.db import connection

from tests.lifetime import tied
from tests.processes import OUTER, ROOT, RedisProcess


@pytest.fixture(scope='module')
def second_redis() -> Iterator[str]:
    server = RedisProcess()
    yield server.url
    server.kill()


PROJECTS = ['naive', 'apart', 'replica', *(pytest.param(name, marks=pytest.mark.once) for name in ('memory', 'plain'))]
if connection.vendor == 'postgresql' and find_spec('django_tenants'):
    PROJECTS.append('tenants')


@pytest.mark.process
@pytest.mark.timeout(400)
@pytest.mark.parametrize('project', PROJECTS)
def test_what_must_hold_holds_in_a_project_with(project, second_redis):
    finished = subprocess.run(
        tied([
            *(sys.executable, '-m', 'pytest', f'tests/projects/checks_{project}.py', '--ds'),
            *(f'tests.projects.{project}', '--create-db', '-q', '-p', 'no:cacheprovider'),
        ]),
        cwd=ROOT,
        env={
            **{name: value for name, value in os.environ.items() if name not in OUTER},
            'TEST_REDIS_URL': settings.RQ_QUEUES['default']['URL'],
            'TEST_SECOND_REDIS_URL': second_redis,
        },
        capture_output=True,
        text=True,
        timeout=360,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert ' passed' in finished.stdout

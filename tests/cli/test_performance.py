"""`manage.py jobs performance`."""

import io
import json

import pytest
from django.core.management import call_command

from tests.app.jobs import Plain

pytestmark = pytest.mark.django_db(transaction=True)


def run(*arguments):
    out = io.StringIO()
    call_command('jobs', 'performance', *arguments, stdout=out, stderr=out)
    return out.getvalue()


def test_each_runner_and_each_queue_is_a_line():
    for _ in range(3):
        Plain.enqueue(immediate=True)
    head, line = run().splitlines()
    assert 'RUN P95' in head.upper()
    assert Plain.__name__ in line and '3' in line.split()
    head, line = run('--queues', '--period', '1h').splitlines()
    assert line.split()[0] == 'default'


def test_scripts_get_seconds():
    Plain.enqueue(immediate=True)
    [document] = json.loads(run('--json'))
    assert document['jobs'] == 1
    assert 0 <= document['run']['p50'] <= document['run']['p99'] < 60
    assert set(document['wait']) == {'p50', 'p95', 'p99'}


def test_a_period_without_jobs_says_so():
    assert run('--period', '7d').endswith('No job ended in this period.\n')

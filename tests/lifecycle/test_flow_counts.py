"""How many statements a limited, rated, prioritised or fair job costs; one that uses none of it costs none more."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from netbox_jobs.core import identity
from netbox_jobs.execution import entry
from netbox_jobs.jobs import JobRunner, Limit, Rate
from netbox_jobs.lifecycle import pace
from netbox_jobs.models import Job, Worker

pytestmark = pytest.mark.django_db(transaction=True)


class Free(JobRunner):
    def run(self, **kwargs):
        pass


class OfTen(Free):
    class Meta:
        limit = Limit(10)


class InTime(Free):
    class Meta:
        rate = Rate(1000, per=60)


class Soon(Free):
    class Meta:
        priority = 7


class Turns(JobRunner):
    class Meta:
        fair_by = 'tenant'

    def run(self, tenant=''):
        pass


KINDS = (Free, OfTen, InTime, Soon, Turns)


@pytest.fixture(autouse=True)
def warm():
    """What each process does once is done."""
    Worker.objects.create(token='w' * 32, name='here', host='here', pid=1, queues='default')
    for runner in KINDS:
        entry.run_delivered(str(runner.enqueue().job_id))


def statements(act):
    with CaptureQueriesContext(connection) as captured:
        act()
    return len([query for query in captured if not query['sql'].startswith('SET SESSION')])


@pytest.mark.parametrize('runner', [Soon, Turns])
def test_an_enqueue_behind_others(runner):
    runner.enqueue_many([{}] * 15)
    assert statements(runner.enqueue) <= 6
    assert runner.get_jobs().filter(status='scheduled').count() == 6


def run_next(runner):
    job = runner.get_jobs().filter(status='pending').order_by('pk').first()
    return statements(lambda: entry.run_delivered(str(job.job_id)))


# Transactions of their own cost MariaDB a statement more for their isolation; its claim is two statements.
@pytest.mark.parametrize(('runner', 'most'), [(Free, 1), (OfTen, 11), (InTime, 12), (Soon, 2), (Turns, 2)])
def test_an_enqueue_for_which_no_other_job_waits(runner, most):
    assert statements(runner.enqueue) <= most


@pytest.mark.parametrize(('runner', 'more'), [(Free, 0), (OfTen, 2), (InTime, 1), (Soon, 2), (Turns, 2)])
def test_an_end_after_which_no_other_job_has_its_turn(runner, more):
    Free.enqueue()
    plain = run_next(Free)
    runner.enqueue()
    assert run_next(runner) <= plain + more


@pytest.mark.parametrize(('runner', 'each'), [(Free, 0), (OfTen, 5), (InTime, 1), (Soon, 3), (Turns, 4)])
def test_in_a_process_that_runs_one_job_after_the_other_the_look_at_the_line_is_shared(runner, each, monkeypatch):
    monkeypatch.setattr(identity, '_inherited', True)
    monkeypatch.setattr(identity, '_token', (0, 'w' * 32))
    pace.forget()
    Free.enqueue()
    plain = run_next(Free)
    runner.enqueue_many([{}] * 60)
    total = sum(run_next(runner) for _ in range(40))
    assert total <= 40 * (plain + each)
    assert Job.objects.filter(status='pending').exists()

"""The time limit of a job that enqueues in a queue with `ASYNC: False` stays; and no web process is ended by one."""

import faulthandler
import signal
import time

import pytest
from rq.timeouts import JobTimeoutException

from netbox_jobs.execution import time_limit
from netbox_jobs.execution.time_limit import Deadline
from netbox_jobs.jobs import JobRunner
from netbox_jobs.models import Job
from tests.app.jobs import Plain
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def inline(settings):
    settings.RQ_QUEUES = {**settings.RQ_QUEUES, 'low': {**settings.RQ_QUEUES['default'], 'ASYNC': False}}


class Resting(JobRunner):
    def run(self, seconds, inner=None):
        if inner is not None:
            InnerResting.enqueue(queue_name='low', seconds=inner, job_timeout=30)
        self.job.data = 'after the inner one'
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.01)


class InnerResting(JobRunner):
    def run(self, seconds):
        time.sleep(seconds)


@pytest.mark.parametrize('inner', [0, 10])
def test_an_inline_job_does_not_lift_the_time_limit_of_the_job_around_it(inline, work, inner):
    job = Resting.enqueue(seconds=20, inner=inner, job_timeout=2)
    work()
    assert status(job) == 'errored'
    assert 'maximum timeout value (2 seconds)' in job.error
    assert InnerResting.get_jobs().get().status == ('errored' if inner else 'completed')
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_the_time_limit_of_rqs_own_job_around_an_inline_job_stays(inline):
    signal.setitimer(signal.ITIMER_REAL, 100)
    handler = signal.signal(signal.SIGALRM, lambda *args: None)
    try:
        Plain.enqueue(queue_name='low')
        assert 90 < signal.getitimer(signal.ITIMER_REAL)[0] <= 100
        assert Plain.get_jobs().get().status == 'completed'
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)


def test_an_inline_job_plans_no_end_of_the_process(inline, monkeypatch):
    planned = []
    monkeypatch.setattr(faulthandler, 'dump_traceback_later', lambda *args, **kwargs: planned.append(args))
    monkeypatch.setattr(faulthandler, 'cancel_dump_traceback_later', lambda: planned.append('canceled'))
    Plain.enqueue(queue_name='low')
    assert Job.objects.get().status == 'completed'
    assert planned == []


def test_what_a_parent_sees_is_the_limit_of_the_outer_job(monkeypatch):
    span = time_limit.Span()
    monkeypatch.setattr(time_limit, 'span', span)
    with Deadline(50, watched=True):
        outer = span.read()
        with Deadline(5, watched=True, sole=False):
            assert span.read() == outer
        assert span.read() == outer
    assert span.read() < 0


def test_of_three_limits_within_each_other_the_shortest_ends_what_it_is_around():
    with Deadline(60, sole=False):
        with pytest.raises(JobTimeoutException, match='1 seconds'), Deadline(1, sole=False):
            with Deadline(30, sole=False):
                pass
            time.sleep(5)
        assert 50 < signal.getitimer(signal.ITIMER_REAL)[0] <= 60

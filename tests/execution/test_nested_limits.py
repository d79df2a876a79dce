"""The time limit of a job that enqueues in a queue with `ASYNC: False` stays; and no web process is ended by one."""

import faulthandler
import signal
import threading
import time
from contextlib import suppress

import pytest
from django.db import connections
from rq.timeouts import JobTimeoutException

from netbox_jobs.execution import time_limit
from netbox_jobs.execution.time_limit import Deadline
from netbox_jobs.jobs import JobRunner
from netbox_jobs.models import Job
from tests.app.jobs import Plain
from tests.processes import status, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]


@pytest.fixture
def inline(settings):
    settings.RQ_QUEUES = {**settings.RQ_QUEUES, 'low': {**settings.RQ_QUEUES['default'], 'ASYNC': False}}


class Resting(JobRunner):
    def run(self, seconds, inner=None):
        if inner is not None:
            InnerResting.enqueue(queue_name='low', seconds=inner, job_timeout=90)
        self.job.data = 'after the inner one'
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.01)


class InnerResting(JobRunner):
    def run(self, seconds):
        time.sleep(seconds)


def test_a_limit_that_ends_an_inner_job_ends_the_outer_one_though_the_commit_logs_what_is_raised(inline):
    with pytest.raises(JobTimeoutException, match='1 seconds'), Deadline(1, sole=False):
        with suppress(JobTimeoutException), Deadline(30, sole=False):
            time.sleep(30)
        with suppress(JobTimeoutException):  # as a hook of a commit does
            time.sleep(30)
        time.sleep(30)


@pytest.mark.parametrize('inner', [0, 60])
def test_an_inline_job_does_not_lift_the_time_limit_of_the_job_around_it(inline, work, inner):
    # Long enough that the limit ends run(), and not the enqueuing in it, which logs what is raised in a delivery.
    job = Resting.enqueue(seconds=60, inner=inner, job_timeout=6)
    work()
    assert status(job) == 'errored'
    assert 'maximum timeout value (6 seconds)' in job.error
    assert InnerResting.get_jobs().get().status == ('errored' if inner else 'completed')
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_the_time_limit_of_rqs_own_job_around_an_inline_job_stays(inline):
    signal.setitimer(signal.ITIMER_REAL, 1000)
    handler = signal.signal(signal.SIGALRM, lambda *args: None)
    try:
        Plain.enqueue(queue_name='low')
        assert 900 < signal.getitimer(signal.ITIMER_REAL)[0] <= 1000
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
    with Deadline(150, sole=False):  # less than the limit of pytest-timeout, which is one around it
        with pytest.raises(JobTimeoutException, match='1 seconds'), Deadline(1, sole=False):
            with Deadline(30, sole=False):
                pass
            time.sleep(60)
        assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 150


class Threaded(JobRunner):
    """Enqueues in a thread of its own."""

    def run(self):
        thread = threading.Thread(target=self.enqueue_inner)
        thread.start()
        thread.join()
        busy()

    def enqueue_inner(self):
        InnerResting.enqueue(queue_name='low', seconds=0, job_timeout=30)
        connections.close_all()


class Immediate(JobRunner):
    def run(self):
        InnerResting.enqueue(immediate=True, seconds=0, job_timeout=30)
        busy()


class Nested(JobRunner):
    def run(self, depth=2):
        if depth:
            Nested.enqueue(queue_name='low', depth=depth - 1, job_timeout=30)
        if depth == 2:
            busy()


def busy():
    end = time.monotonic() + 60
    while time.monotonic() < end:
        time.sleep(0.05)


@pytest.mark.process
@pytest.mark.parametrize('runner', [Threaded, Immediate, Nested])
@pytest.mark.parametrize('arguments', [(), ('--fast',)])
def test_the_limit_of_a_job_in_a_worker_stays_whatever_it_runs_within_itself(inline, start_worker, runner, arguments):
    job = runner.enqueue(job_timeout=8)  # in which the inner jobs end also on a busy machine
    start_worker('default', *arguments, TEST_INLINE='1')
    wait_for(lambda: status(job) == 'errored', 60)
    assert 'maximum timeout value (8 seconds)' in job.error
    inner = Job.objects.filter(runner__startswith=Resting.__module__).exclude(pk=job.pk)
    assert set(inner.values_list('status', flat=True)) == {'completed'}

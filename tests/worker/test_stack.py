"""The stack of a running job: asked for by a row, taken by a thread that only looks."""

import signal
import threading
import time
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from netbox_jobs.core import runs
from netbox_jobs.core.claim import Claim
from netbox_jobs.jobs import JobRunner
from netbox_jobs.maintenance import retention
from netbox_jobs.models import Job, JobStack
from netbox_jobs.worker import stack, watchdog
from tests.processes import status, wait_for

pytestmark = pytest.mark.django_db(transaction=True)


class Defenceless(JobRunner):
    """Any signal would end it: it has switched off all handlers."""

    class Meta:
        name = 'Defenceless'

    def run(self, until):
        for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        threading.Thread(target=idle_in_thread, args=(until,), name='helper', daemon=True).start()
        while not Path(until).exists():
            time.sleep(0.05)
        if self.job.log_entries:
            raise AssertionError('the sample has left a line in the log of the job')


def idle_in_thread(until):
    while not Path(until).exists():
        time.sleep(0.05)


def running(**values):
    return Job.objects.create(
        **{'name': 'busy', 'status': 'running', 'attempt': 1, 'worker': 'w', 'started': timezone.now(), **values}
    )


def run_of(job):
    """A run of this job, as the watchdog sees it."""
    claim = Claim(job.pk, job.worker, job.attempt, connection.alias)
    return SimpleNamespace(job=SimpleNamespace(pk=job.pk, claim=claim, attempt=job.attempt, ended=False))


def sample(run, monkeypatch, current=None):
    monkeypatch.setattr(runs, 'delivered_run', lambda: current or run)
    sampler = stack.Sampler(run)
    sampler.start()
    sampler.join(60)


@pytest.mark.process
@pytest.mark.parametrize('arguments', [(), ('--fast',)])
def test_a_running_job_says_at_which_line_it_is_and_is_not_harmed(start_worker, arguments, tmp_path):
    start_worker('default', *arguments)
    job = Defenceless.enqueue(until=str(tmp_path / 'go'))
    wait_for(lambda: status(job) == 'running')
    JobStack.ask(job)
    found = wait_for(lambda: JobStack.objects.exclude(taken=None).first())
    own, helper = found.stack.split('The job:')[1], found.stack.split('The job:')[0]
    assert 'time.sleep(0.05)' in own and 'in run' in own
    assert 'netbox_jobs/worker' not in own and 'execution' not in own, 'the calls of the worker are left out'
    assert 'Thread helper:' in helper and 'idle_in_thread' in helper and 'netbox_jobs' not in helper
    assert found.samples == stack.SAMPLES >= found.same >= 1
    assert found.pid and found.host and found.memory and found.cpu is not None
    first = found.taken
    JobStack.ask(job)
    wait_for(lambda: JobStack.objects.exclude(taken=None).exclude(taken=first).exists())
    (tmp_path / 'go').touch()
    wait_for(lambda: status(job) == 'completed', what=job.error)


def test_a_job_that_does_not_run_is_not_asked():
    job = running(status='completed')
    assert JobStack.ask(job) is None
    assert not JobStack.objects.exists()


def test_a_second_request_replaces_the_first():
    job = running()
    JobStack.ask(job)
    JobStack.objects.update(taken=timezone.now(), stack='old')
    again = JobStack.ask(job)
    assert (again.taken, again.stack) == (None, '')
    assert JobStack.objects.count() == 1


def test_the_look_of_the_watchdog_costs_one_statement_with_and_without_a_request():
    job = running()
    for asked in (False, True):
        with CaptureQueriesContext(connection) as queries:
            assert watchdog._look(run_of(job)) == (None, asked)
        assert len(queries) == 1
        JobStack.ask(job)


def test_a_request_about_an_earlier_attempt_is_not_answered():
    job = running()
    JobStack.ask(job)
    Job.objects.update(attempt=2)
    job.refresh_from_db()
    assert watchdog._look(run_of(job)) == (None, False)


def test_the_answer_is_written_once(monkeypatch):
    job = running()
    JobStack.ask(job)
    sample(run_of(job), monkeypatch)
    found = JobStack.objects.get()
    assert 'test_the_answer_is_written_once' in found.stack
    JobStack.objects.update(stack='first')
    sample(run_of(job), monkeypatch)
    assert JobStack.objects.get().stack == 'first'


def test_a_sample_of_another_run_is_not_written(monkeypatch):
    job = running()
    JobStack.ask(job)
    sample(run_of(job), monkeypatch, current=run_of(job))
    assert JobStack.objects.get().taken is None


def test_a_sample_that_fails_harms_nothing_and_is_taken_again(monkeypatch):
    job = running()
    JobStack.ask(job)
    with monkeypatch.context() as patch:
        patch.setattr(stack, 'take', lambda: 1 / 0)
        sample(run_of(job), monkeypatch)
    assert JobStack.objects.get().taken is None
    assert watchdog._look(run_of(job)) == (None, True)


def test_a_stack_goes_with_its_job():
    for job in (running(), running()):
        JobStack.ask(job)
    first, second = Job.objects.order_by('pk')
    first.delete()
    assert [row.pk for row in JobStack.objects.all()] == [second.pk]
    long_ago = timezone.now() - timedelta(days=100)
    Job.objects.update(status='completed', created=long_ago, completed=long_ago)
    assert retention.prune(days=90) == 1
    assert not JobStack.objects.exists()

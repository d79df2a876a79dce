"""`self.sleep()`: a job sleeps in the database, keeps no worker, and continues after its finished steps."""

from datetime import timedelta
from unittest.mock import MagicMock

import pytest
from django.core.exceptions import ImproperlyConfigured

from netbox_jobs.core import clock
from netbox_jobs.execution import execution
from netbox_jobs.jobs import JobRunner
from netbox_jobs.lifecycle import job_signals
from netbox_jobs.maintenance.orphans import end_orphan
from netbox_jobs.models import Job
from netbox_jobs.signals import job_end, job_start
from netbox_jobs.testing import run_jobs
from tests.app import waiting
from tests.app.models import Thing
from tests.app.stepping import notes
from tests.app.waiting import (
    AsyncWaiting,
    Catching,
    InTransaction,
    MistakenWaits,
    Named,
    Sleeping,
    Unstorable,
    Versioned,
    end_sleep,
)
from tests.dying import at_each_statement
from tests.processes import status, wait_for

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / 'notes')


def reloaded(job):
    return Job.objects.get(pk=job.pk)


def test_a_sleep_frees_the_worker_counts_no_attempt_and_the_finished_steps_are_not_run_again(path):
    sent = []
    receivers = [lambda name=name, **kwargs: sent.append(name) for name in ('start', 'end')]
    for signal, receiver in zip((job_start, job_end), receivers, strict=True):
        signal.connect(receiver)
    job = Sleeping.enqueue(path=path)
    run_jobs()
    now = reloaded(job)
    assert (now.status, now.attempt, now.retries, now.releases) == ('scheduled', 0, 0, 0)
    assert (now.started, now.worker) == (None, None)
    assert (now.data, sent, notes(path)) == ('begun', ['start'], ['before'])
    run_jobs(until=timedelta(minutes=30))
    assert status(job) == 'scheduled'
    run_jobs(until=timedelta(hours=2))
    now = reloaded(job)
    assert (now.status, now.attempt, now.data, now.attempts.count()) == ('completed', 1, 'done', 0)
    assert (sent, notes(path)) == (['start', 'start', 'end'], ['before', 'after-0'])


def test_sleeps_in_a_loop_are_known_by_their_order_and_a_job_that_comes_early_sleeps_again(path):
    job = Sleeping.enqueue(path=path, times=3)
    for number in range(3):
        run_jobs()
        Job.objects.filter(pk=job.pk).update(due=1)  # by hand
        run_jobs()
        assert (status(job), len(notes(path))) == ('scheduled', 1 + number)
        assert reloaded(job).due == job.steps.get(completed=None).until
        end_sleep(job)
    run_jobs()
    assert (status(job), notes(path)) == ('completed', ['before', 'after-0', 'after-1', 'after-2'])
    assert [step.kind for step in job.steps.all()] == ['step', *('sleep', 'step') * 3]


def test_sleeps_with_names_may_come_in_another_order(path):
    job = Named.enqueue(path=path)
    run_jobs()
    end_sleep(job)  # a is over; the next run begins with b
    run_jobs()
    assert job_signals.wait_of(reloaded(job)).title == 'sleep b'
    end_sleep(job)
    run_jobs()
    assert (status(job), notes(path)) == ('completed', ['end'])


@pytest.mark.parametrize(
    ('how', 'noted'),
    [
        ('exception', ['slept', 'end']),
        ('base', ['caught', 'end', 'slept', 'end']),
        ('again', ['caught', 'slept', 'end']),
    ],
)
def test_except_exception_does_not_end_a_sleep_and_neither_does_code_that_catches_all(how, noted, path):
    job = Catching.enqueue(path=path, how=how)
    run_jobs()
    assert status(job) == 'scheduled'
    end_sleep(job)
    run_jobs()
    assert (status(job), notes(path)) == ('completed', noted)


def test_an_error_on_the_way_out_counts_and_the_sleep_begins_anew(path):
    job = Catching.enqueue(path=path, how='finally')
    run_jobs()
    now = reloaded(job)
    assert (now.status, now.attempt, now.retries, job.steps.count()) == ('scheduled', 1, 1, 1)
    end_sleep(job)
    run_jobs()
    assert (status(job), reloaded(job).attempt) == ('completed', 2)


def test_a_transaction_of_the_run_is_rolled_back_by_a_sleep_and_the_sleep_is_stored_all_the_same():
    job = InTransaction.enqueue()
    run_jobs()
    assert (status(job), Thing.objects.count(), job.steps.count()) == ('scheduled', 0, 1)
    end_sleep(job)
    run_jobs()
    assert (status(job), Thing.objects.count()) == ('completed', 1)


def test_an_immediate_job_and_one_of_a_queue_that_is_not_async_continue_in_a_worker(path, settings):
    job = Sleeping.enqueue(path=path, immediate=True)
    assert (job.status, status(job), job.ended) == ('scheduled', 'scheduled', False)
    settings.RQ_QUEUES = {**settings.RQ_QUEUES, 'low': {**settings.RQ_QUEUES['low'], 'ASYNC': False}}
    other = Sleeping.enqueue(path=path, queue_name='low')
    assert status(other) == 'scheduled'
    for each in (job, other):
        end_sleep(each)
    run_jobs()
    assert (status(job), status(other)) == ('completed', 'completed')
    job.refresh_from_db()
    assert job.ended
    with_lock = Unstorable.enqueue(lock=waiting.unstorable(), immediate=True)
    assert with_lock.status == 'errored' and 'cannot be stored' in with_lock.error


def test_handle_that_is_called_by_hand_returns_when_the_job_sleeps(path):
    job = Sleeping.enqueue(path=path, schedule_at=None)
    Sleeping.handle(job, path=path)
    assert status(job) == 'scheduled'
    end_sleep(job)
    run_jobs()
    assert status(job) == 'completed'


def test_a_sleep_that_is_over_stays_over_when_the_clock_of_the_next_run_is_behind(path):
    job = Sleeping.enqueue(path=path, hours=1, times=2)
    run_jobs()
    run_jobs(until=timedelta(hours=1.5))  # the first sleep is over; the clock is back
    assert notes(path) == ['before', 'after-0']
    Job.objects.filter(pk=job.pk).update(due=clock.now_ms() - 1)
    run_jobs()
    first, second = job.steps.filter(kind='sleep').order_by('pk')
    assert first.completed is not None
    assert second.completed is None


def test_a_coroutine_sleeps_and_waits(path):
    job = AsyncWaiting.enqueue(path=path)
    for _sleep in range(2):
        run_jobs()
        assert status(job) == 'scheduled'
        end_sleep(job)
    run_jobs()
    job.signal('approved', 7)
    run_jobs()
    assert (status(job), reloaded(job).data, notes(path)) == ('completed', 7, ['before'])


def test_rqs_simple_worker_gives_the_job_back(path, work):
    job = Sleeping.enqueue(path=path)
    work()
    assert status(job) == 'scheduled'
    end_sleep(job)
    run_jobs()
    assert status(job) == 'completed'


@pytest.mark.process
@pytest.mark.parametrize('options', [(), ('--fast',)])
def test_real_workers_give_the_job_back_and_continue_it(options, path, start_worker):
    jobs = [Sleeping.enqueue(path=f'{path}-{number}', hours=0.0001, times=2) for number in range(3)]
    start_worker(*options)
    wait_for(lambda: all(status(job) == 'completed' for job in jobs), 60)
    for number, job in enumerate(jobs):
        assert notes(f'{path}-{number}') == ['before', 'after-0', 'after-1']
        assert reloaded(job).attempt == 1


def test_killed_at_any_statement_a_job_that_sleeps_is_not_lost_and_its_steps_are_recorded_once(path):
    job = Sleeping.enqueue(path=path)

    def attempt():
        run_jobs(limit=1, raise_errors=False)

    def run_until_it_sleeps_or_ends():
        for _number in at_each_statement(attempt, leaves_files=True):
            now = reloaded(job)
            if now.status == 'running':
                Job.objects.filter(pk=job.pk).update(crashes=0)
                end_orphan(reloaded(job), 'its process has died')
            assert job.steps.filter(kind='step').count() <= 2

    run_until_it_sleeps_or_ends()
    assert (status(job), job.steps.filter(kind='sleep').count()) == ('scheduled', 1)
    end_sleep(job)
    run_until_it_sleeps_or_ends()
    assert (status(job), reloaded(job).data) == ('completed', 'done')
    assert [step.title for step in job.steps.all()] == ['before', 'sleep', 'after 0']


def test_each_stretch_has_the_whole_time_limit(path, monkeypatch):
    limits = []

    class Recorded(execution.Deadline):
        def __init__(self, seconds, *args, **kwargs):
            limits.append(seconds)
            super().__init__(seconds, *args, **kwargs)

    monkeypatch.setattr(execution, 'Deadline', Recorded)
    job = Sleeping.enqueue(path=path, job_timeout=100)
    run_jobs()
    end_sleep(job)
    run_jobs()
    assert (status(job), limits) == ('completed', [100, 100])


def test_a_job_with_steps_of_another_version_ends_with_an_error_and_a_retry_by_hand_begins_anew(path, monkeypatch):
    job, other = Versioned.enqueue(path=path), Versioned.enqueue(path=path)
    run_jobs()
    end_sleep(job)
    monkeypatch.setattr(Versioned.Meta, 'version', 2)
    run_jobs(raise_errors=False)
    now = reloaded(job)
    assert (now.status, now.retries) == ('errored', 0)
    assert 'has steps of version 1, and its code is of version 2' in now.error
    new = now.retry()
    run_jobs()
    end_sleep(new)
    run_jobs()
    assert (status(new), notes(path)) == ('completed', ['a1', 'a1', 'a2', 'b2'])
    monkeypatch.setattr(Versioned.Meta, 'version', 1)
    end_sleep(other)
    run_jobs()
    assert status(other) == 'completed'


@pytest.mark.parametrize('version', [True, 1.5, 'x' * 51])
def test_a_version_is_a_whole_number_or_a_text(version):
    with pytest.raises(ImproperlyConfigured, match='version is'):
        type('WrongVersion', (JobRunner,), {'Meta': type('Meta', (), {'version': version}), 'run': lambda self: None})


@pytest.mark.parametrize(
    ('how', 'said'),
    [
        ('length', 'expected a timedelta, or hours=3'),
        ('for ever', 'up to the year 4999'),
        ('name', 'of 1 to 200 characters'),
        ('signal', 'of 1 to 200 characters'),
        ('timeout', 'expected a timedelta, or None'),
    ],
)
def test_what_is_a_mistake_is_said(how, said):
    job = MistakenWaits.enqueue(how=how)
    run_jobs(raise_errors=False)
    assert status(job) == 'errored' and said in reloaded(job).error


def test_a_runner_that_is_called_by_a_test_does_not_sleep_and_cannot_wait(path):
    Sleeping(MagicMock()).run(path)
    assert notes(path) == ['before', 'after-0']
    with pytest.raises(RuntimeError, match='without a job'):
        waiting.Approved(MagicMock()).run()

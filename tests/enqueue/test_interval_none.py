"""`enqueue_once(interval=None)` ends the recurrence; an omitted interval leaves it as it is."""

from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.utils import timezone

from netbox_jobs.core.registry import system_jobs
from netbox_jobs.jobs import JobRunner
from netbox_jobs.lifecycle.deliver import deliver_after_commit
from netbox_jobs.models import Job, Schedule
from netbox_jobs.worker.command import WorkerCommand
from tests.app.jobs import Plain
from tests.app.models import Thing
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)


class Wrapped(JobRunner):
    """A plugin's runner with an `enqueue()` of its own."""

    @classmethod
    def enqueue(cls, *args, **kwargs):
        kwargs.setdefault('word', 'added')
        return super().enqueue(*args, **kwargs)

    def run(self, **kwargs):
        pass


class Renewing(JobRunner):
    """Calls `enqueue_once()` for itself while it runs."""

    def run(self, interval='omitted', **kwargs):
        Renewing.enqueue_once(**({} if interval == 'omitted' else {'interval': interval}))


def later():
    return timezone.now() + timedelta(hours=1)


STOPS = {
    'keyword': lambda runner, thing: runner.enqueue_once(thing, interval=None),
    'positional': lambda runner, thing: runner.enqueue_once(thing, None, None),
    'using': lambda runner, thing: runner.using(instance=thing, interval=None).enqueue_once(),
    'asynchronous': lambda runner, thing: async_to_sync(runner.aenqueue_once)(thing, interval=None),
}


@pytest.mark.parametrize('runner', [Plain, Wrapped])
@pytest.mark.parametrize('stop', STOPS)
@pytest.mark.parametrize('when', [{'interval': 10}, {'cron': '0 3 * * *'}])
def test_the_waiting_job_runs_once_more_and_is_the_last(runner, stop, when, work):
    thing, time = Thing.objects.create(), later()
    first = runner.enqueue_once(instance=thing, schedule_at=time, queue_name='low', word='x', **when)
    job = STOPS[stop](runner, thing)
    assert (job.pk, job.interval, job.scheduled, job.queue_name) == (first.pk, None, time, 'low')
    assert job.get_arguments() == {'word': 'x'}
    schedule = Schedule.objects.get()
    assert (schedule.interval, schedule.cron) == (None, '')
    Job.objects.update(status='pending', due=1)
    work_now(first, work)
    assert status(first) == 'completed'
    assert Job.objects.count() == 1


def work_now(job, work):
    Job.objects.filter(pk=job.pk).update(deliveries=1)
    deliver_after_commit(Job.objects.get(pk=job.pk))
    work()


@pytest.mark.parametrize('runner', [Plain, Wrapped])
@pytest.mark.parametrize('given', [{}, {'schedule_at': None}, {'queue_name': 'low'}])
def test_omitted_it_is_unchanged(runner, given, work):
    time = later()
    first = runner.enqueue_once(schedule_at=time, interval=10)
    job = runner.enqueue_once(**given)
    assert (job.pk, job.interval, job.scheduled) == (first.pk, 10, time)
    cron = runner.enqueue_once(cron='0 3 * * *', timezone='UTC')
    assert (cron.pk, runner.enqueue_once(**given).interval) == (first.pk, None)
    assert Schedule.objects.get().cron == '0 3 * * *'


def test_without_a_schedule_it_is_one_job_that_runs_once(work):
    job = Plain.enqueue_once(interval=None)
    assert Plain.enqueue_once(interval=None).pk == job.pk
    work()
    assert status(job) == 'completed'
    assert Job.objects.count() == 1


def test_after_it_the_schedule_can_be_set_again(work):
    first = Plain.enqueue_once(schedule_at=later(), interval=10)
    Plain.enqueue_once(interval=None)
    assert Plain.enqueue_once(interval=30).pk == first.pk
    assert Schedule.objects.get().interval == 30


@pytest.mark.parametrize(('given', 'next_interval'), [({}, 10), ({'interval': None}, None), ({'interval': 20}, 20)])
def test_while_it_runs(given, next_interval, work):
    job = Renewing.enqueue_once(interval=10)
    Schedule.objects.update(interval=10)
    job = Renewing.using().enqueue_once(**given)
    work()
    assert status(job) == 'completed'
    after = Job.objects.filter(predecessor=job).first()
    assert (after.interval if after else None) == next_interval


@pytest.mark.parametrize('runner', [Plain, Wrapped])
def test_a_running_job_stays_the_last_one(runner):
    job = runner.enqueue_once(interval=10)
    running = Job.objects.get(pk=job.pk)
    running.start()
    assert runner.enqueue_once(interval=None).pk == job.pk
    running.terminate()
    assert Job.objects.count() == 1
    assert Schedule.objects.get().interval is None


def test_a_system_job_without_an_interval_in_its_setup_keeps_what_it_has(monkeypatch):
    found = {Plain: {'queue_name': 'low'}, Wrapped: {'interval': 60}}
    for registry in ('netbox_jobs.worker.command.system_jobs', 'netbox_jobs.execution.runner.system_jobs'):
        monkeypatch.setattr(registry, found)
    assert system_jobs is not found
    Plain.enqueue_once(schedule_at=later(), interval=10)
    for _ in range(2):
        WorkerCommand()._schedule_system_jobs()
    assert Plain.enqueue_once().interval == 10
    assert Plain.enqueue_once().queue_name == 'low'
    assert Wrapped.enqueue_once().interval == 60
    Wrapped.enqueue_once(interval=None)
    WorkerCommand()._schedule_system_jobs()
    assert Wrapped.enqueue_once().interval == 60
    assert Job.objects.count() == 2

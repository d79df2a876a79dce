"""`using()`: the options of a call apart from the arguments of `run()`, which may have the same names."""

from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.utils import timezone

from netbox_jobs.jobs import JobRunner
from netbox_jobs.maintenance import recovery
from netbox_jobs.models import Job
from tests.app.models import Thing
from tests.processes import status

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]


class Clashing(JobRunner):
    """Takes arguments with the names of options, also of RQ's and of refused ones."""

    def run(
        self,
        name,
        user,
        interval,
        queue_name,
        retry,
        unique,
        instance,
        timezone,
        meta,
        run_arguments,
        schedule_at,
        immediate,
    ):
        self.job.data = {**locals(), 'self': None}


class Overriding(Clashing):
    calls = 0

    @classmethod
    def enqueue(cls, *args, **kwargs):
        cls.calls += 1
        return super().enqueue(*args, **kwargs)


ARGUMENTS = {
    'name': 'the name', 'user': 7, 'interval': 'often', 'queue_name': 'nowhere', 'retry': True, 'unique': 'yes',
    'instance': None, 'timezone': 'here', 'meta': 3, 'run_arguments': 'mine', 'schedule_at': 'soon', 'immediate': False,
}  # fmt: skip
RUNNERS = [Clashing, Overriding]


@pytest.mark.parametrize('runner', RUNNERS)
@pytest.mark.parametrize('call', ['enqueue', 'enqueue_once', 'aenqueue', 'aenqueue_once'])
def test_options_and_arguments_of_the_same_names_do_not_meet(runner, call, work):
    thing = Thing.objects.create()
    enqueue = getattr(runner.using(queue_name='low', name='shown', instance=thing), call)
    job = (async_to_sync(enqueue) if call.startswith('a') else enqueue)(**ARGUMENTS)
    assert (job.queue_name, job.name, job.object, job.interval) == ('low', 'shown', thing, None)
    assert job.get_arguments() == ARGUMENTS
    work()
    assert status(job) == 'completed'
    assert Job.objects.get(pk=job.pk).data == {**ARGUMENTS, 'self': None}


@pytest.mark.parametrize('runner', RUNNERS)
def test_immediate(runner):
    job = runner.using(immediate=True).enqueue(**ARGUMENTS)
    assert (job.status, job.data) == ('completed', {**ARGUMENTS, 'self': None})


@pytest.mark.parametrize('runner', RUNNERS)
@pytest.mark.parametrize('call', ['enqueue', 'enqueue_once'])
def test_p4_successors_have_them_too(runner, call, work, caplog):
    job = getattr(runner.using(interval=10), call)(**ARGUMENTS)
    for _ in range(2):
        if job.status == 'scheduled':
            Job.objects.filter(pk=job.pk).update(due=1)
            recovery.deliver_due()
        work()
        assert status(job) == 'completed'
        job = Job.objects.get(predecessor=job)
        assert (job.interval, job.queue_name, job.get_arguments()) == (10, 'default', ARGUMENTS)
    assert 'copied instead' not in caplog.text


@pytest.mark.parametrize('runner', RUNNERS)
def test_a_retry_has_them_too(runner, work):
    job = runner.using(queue_name='low').enqueue(**ARGUMENTS)
    work()
    again = Job.objects.get(pk=job.pk).retry()
    assert (again.queue_name, again.get_arguments()) == ('low', ARGUMENTS)
    work()
    assert status(again) == 'completed'


def test_enqueue_once_updates_them_in_place():
    soon = timezone.now() + timedelta(hours=1)
    first = Clashing.using(interval=10, schedule_at=soon).enqueue_once(**ARGUMENTS)
    second = Clashing.using(interval=20).enqueue_once(**{**ARGUMENTS, 'name': 'another'})
    assert (second.pk, second.interval, second.scheduled) == (first.pk, 20, soon)
    assert second.get_arguments()['name'] == 'another'
    assert second.name == 'Clashing'


def test_what_is_returned_may_be_used_again():
    low = Clashing.using(queue_name='low')
    jobs = [low.enqueue(**{**ARGUMENTS, 'name': name}) for name in ('a', 'b')]
    assert [job.get_arguments()['name'] for job in jobs] == ['a', 'b']


def test_wrong_values_of_options_are_refused_as_by_enqueue():
    with pytest.raises(ValueError, match='queue'):
        Clashing.using(queue_name='nowhere').enqueue(**ARGUMENTS)
    with pytest.raises(ValueError, match='exclude each other'):
        Clashing.using(immediate=True).enqueue_once(**ARGUMENTS)
    assert not Job.objects.exists()

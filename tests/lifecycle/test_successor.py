"""P4: a periodic job has exactly one successor, however it ended, and it keeps what the job had."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from netbox_jobs.core.recurrence import Recurrence
from netbox_jobs.jobs import JobRunner
from netbox_jobs.maintenance import orphans, recovery
from netbox_jobs.models import Job, Schedule
from netbox_jobs.signals import job_end
from tests.app.jobs import (
    Emptying,
    Erring,
    Failing,
    Moving,
    Plain,
    plain_function,
)
from tests.app.models import Thing, Trace
from tests.lifecycle.chains import successor
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(('runner', 'ending'), [(Plain, 'completed'), (Failing, 'failed'), (Erring, 'errored')])
def test_p4_one_successor_however_run_ended(work, runner, ending):
    job = runner.enqueue(interval=10)
    work()
    assert status(job) == ending
    assert successor(job).status == 'scheduled'
    assert runner.get_jobs().count() == 2


def test_p4_it_keeps_queue_time_limit_arguments_user_and_notifications(work, django_user_model):
    user, thing = django_user_model.objects.create(username='u'), Thing.objects.create()
    job = Plain.enqueue(
        instance=thing, user=user, interval=10, queue_name='low', job_timeout=44, notifications='never',
        name='own name', word='x', result_ttl=9,
    )  # fmt: skip
    work()
    after = successor(job)
    kept = ('object_id', 'user', 'interval', 'queue_name', 'job_timeout', 'notifications', 'name', 'runner')
    assert [getattr(after, name) for name in kept] == [getattr(job, name) for name in kept]
    assert after.get_arguments() == {'word': 'x'}
    assert after.options['result_ttl'] == 9
    assert after.object == thing


def test_its_time_counts_from_the_scheduled_time_and_is_a_minute_ahead_at_least(work):
    when = timezone.now() - timedelta(hours=5)
    job = Plain.enqueue(interval=10, schedule_at=when)
    before = timezone.now()
    work()
    assert timedelta(seconds=59) <= successor(job).scheduled - before < timedelta(seconds=90)


def test_missed_occurrences_are_not_made_up_for(work):
    """Hours of standstill: one run now, then on from here."""
    job = Plain.enqueue(interval=60, schedule_at=timezone.now() + timedelta(minutes=1))
    late = timezone.now() - timedelta(hours=7)
    Job.objects.filter(pk=job.pk).update(scheduled=late, due=int(late.timestamp() * 1000))
    recovery.deliver_due()
    work()
    assert status(job) == 'completed'
    assert Plain.get_jobs().ended().count() == 1
    assert successor(job).scheduled > timezone.now()


def test_next_time_across_the_change_to_summer_time(settings):
    settings.TIME_ZONE = 'Europe/Berlin'
    before = timezone.datetime(2099, 3, 29, 0, 30, tzinfo=timezone.get_fixed_timezone(0))
    assert Recurrence(60).next(before, before) - before == timedelta(hours=1)


def test_an_interval_set_in_run_moves_the_next_occurrence(work):
    job = Moving.enqueue(interval=10, to=25)
    work()
    job.refresh_from_db()
    assert (job.interval, successor(job).interval, Schedule.objects.get().interval) == (25, 25, 25)


def test_an_interval_cleared_in_run_ends_the_chain(work):
    job = Moving.enqueue(interval=10, to=None)
    work()
    assert status(job) == 'completed'
    assert Moving.get_jobs().count() == 1


def test_an_interval_set_on_a_one_shot_job_begins_a_chain(work):
    job = Moving.enqueue(to=5)
    work()
    assert successor(job).interval == 5


def test_a_bad_interval_set_in_run_is_an_error_and_the_chain_goes_on(work):
    job = Moving.enqueue(interval=10, to=0.5)
    work()
    assert status(job) == 'errored'
    assert 'whole number of minutes' in job.error
    assert successor(job).interval == 10


def test_functions_have_successors_too(work):
    job = Job.enqueue(plain_function, interval=10, word='x')
    work()
    assert successor(job).get_arguments() == {'word': 'x'}


def test_extra_jobs_within_a_periodic_run_are_jobs_of_their_own(work):
    class Enqueuing(JobRunner):
        def run(self, thing):
            Plain.enqueue()
            Plain.enqueue(interval=5)
            Enqueuing.enqueue(instance=thing, immediate=False, interval=5, thing=thing)
            Enqueuing.enqueue(immediate=False, thing=thing)

    Enqueuing.__module__, Enqueuing.__qualname__ = 'tests.app.jobs', 'Enqueuing'
    job = Enqueuing.enqueue(immediate=True, interval=10, thing=Thing.objects.create())
    assert status(job) == 'completed', job.error
    assert Plain.get_jobs().count() == 2
    assert Enqueuing.get_jobs().filter(predecessor=job).count() == 1
    assert Enqueuing.get_jobs().count() == 4


def test_a_vanished_object_does_not_break_its_chain_in_two(work):
    thing = Thing.objects.create()
    job = Plain.enqueue(instance=thing, interval=10)
    Thing.objects.filter(pk=thing.pk)._raw_delete('default')
    work()
    assert status(job) == 'completed'
    assert Plain.get_jobs().count() == 2
    assert successor(job).object_id == str(thing.pk)


@pytest.mark.parametrize('field', ['predecessor', 'slot'])
def test_p4_the_database_itself_allows_one_successor(work, field):
    job = Plain.enqueue(interval=10)
    work()
    after = successor(job)
    with pytest.raises(IntegrityError), transaction.atomic():
        Job.objects.create(name='another', **{field: {'predecessor': job, 'slot': after.slot}[field]})
    assert list(Job.objects.filter(predecessor=job)) == [after]


def test_p4_a_second_end_makes_no_second_one(work):
    job = Plain.enqueue(interval=10)
    work()
    Job.objects.get(pk=job.pk).terminate('failed')
    assert orphans.end_orphan(Job.objects.get(pk=job.pk), 'declared dead') is False
    assert Plain.get_jobs().count() == 2
    assert status(job) == 'completed'


def test_p4_a_death_has_one_successor_too():
    job = Plain.enqueue(interval=10, word='x')
    job.start()
    orphans.end_orphan(Job.objects.get(pk=job.pk), 'declared dead')
    assert (successor(job).status, successor(job).get_arguments()) == ('scheduled', {'word': 'x'})


def test_canceling_skips_one_occurrence(work):
    job = Plain.enqueue(interval=10)
    job.terminate('canceled')
    work()
    assert status(job) == 'canceled'
    assert not Trace.objects.exists()
    assert successor(job).status == 'scheduled'


def test_a_successor_runs_in_its_turn_and_has_one_itself(work):
    job = Plain.enqueue(interval=10, word='x')
    for _ in range(3):
        work()
        job = successor(job)
        Job.objects.filter(pk=job.pk).update(due=job.due - 3_600_000)
        recovery.deliver_due()
    work()
    assert Plain.get_jobs().ended().count() == 4
    assert Plain.get_jobs().waiting().count() == 1
    assert [j.data for j in Plain.get_jobs().ended()] == [{'word': 'x'}] * 4
    assert Schedule.objects.count() == 1


def test_two_chains_of_one_runner_and_object_go_on_side_by_side(work):
    """As two schedules of one script with different data: enqueue() begins a chain each time."""
    thing = Thing.objects.create()
    jobs = [Plain.enqueue(instance=thing, interval=10, word=word) for word in 'ab']
    work()
    assert [successor(job).get_arguments() for job in jobs] == [{'word': 'a'}, {'word': 'b'}]
    assert Plain.get_jobs(thing).count() == 4


@pytest.mark.parametrize('interval', [1, 60, 1440])
def test_next_time_is_the_later_of_one_interval_on_and_a_minute_from_now(interval):
    now = timezone.now()
    for ago in (0, 30, 59 * 60, 7200):
        previous = now - timedelta(seconds=ago)
        expected = max(previous + timedelta(minutes=interval), now + timedelta(minutes=1))
        assert Recurrence(interval).next(previous, now) == expected


def test_p8_a_retry_into_a_queue_that_is_gone_is_refused(work):
    job = Plain.enqueue()
    work()
    Job.objects.filter(pk=job.pk).update(queue_name='gone')
    with pytest.raises(ValueError, match='gone'):
        Job.objects.get(pk=job.pk).retry()


@pytest.mark.parametrize('enqueue', ['enqueue', 'enqueue_once'])
def test_p4_a_successor_gets_the_arguments_as_they_were_before_the_run(work, enqueue):
    job = getattr(Emptying, enqueue)(items=[1, 2], interval=10)
    work()
    job.refresh_from_db()
    assert job.data == [1, 2]
    assert Job.objects.get(predecessor=job).get_arguments() == {'items': [1, 2]}


def test_a_successor_whose_argument_the_run_has_deleted_says_so(work):
    job = Emptying.enqueue(items=[], thing=Thing.objects.create(), interval=10)
    work()
    assert status(job) == 'completed'
    following = Job.objects.get(predecessor=job)
    Job.objects.filter(pk=following.pk).update(due=0)
    recovery.deliver_due()
    work()
    following.refresh_from_db()
    assert following.status == 'errored'
    assert 'no longer exists' in following.error


def test_the_end_is_told_of_although_what_the_successors_enqueue_wants_done_raises(work):
    ended = []

    def note(sender, **kwargs):
        ended.append(sender.pk)

    class Hooking(JobRunner):
        @classmethod
        def enqueue(cls, *args, **kwargs):
            if Job.objects.exists():
                transaction.on_commit(lambda: 1 / 0)
            return super().enqueue(*args, **kwargs)

        def run(self):
            pass

    Hooking.__module__, Hooking.__qualname__ = 'tests.app.jobs', 'Hooking'
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('tests.app.jobs.Hooking', Hooking, raising=False)
        job = Hooking.enqueue(interval=10)
        job_end.connect(note)
        try:
            work()
        finally:
            job_end.disconnect(note)
    job.refresh_from_db()
    assert (job.status, job.error) == ('completed', '')
    assert ended == [job.pk]

"""Schedules: changed, paused, resumed, run now, ended; and paused queues."""

from datetime import UTC, timedelta

import pytest
from django.utils import timezone

from netbox_jobs.broker import connection, delivery
from netbox_jobs.core.recurrence import Recurrence
from netbox_jobs.lifecycle import claim, requeue
from netbox_jobs.maintenance import recovery
from netbox_jobs.models import Job, PausedQueue, Schedule
from tests.app.jobs import Plain, Sleeping
from tests.processes import status
from tests.renaming import rename

pytestmark = pytest.mark.django_db(transaction=True)


# Schedule actions


def scheduled(**more):
    return Plain.enqueue_once(schedule_at=timezone.now() + timedelta(hours=1), interval=60, **more)


def test_a_schedule_tells_its_next_and_last_run(work):
    job = Plain.enqueue_once(interval=60)
    schedule = Schedule.objects.get()
    assert (schedule.next_run, schedule.last_job, schedule.runs) == (job.created, None, 0)
    work()
    schedule = Schedule.objects.get()
    assert schedule.next_run == Job.objects.waiting().get().scheduled
    assert (schedule.last_job.pk, schedule.last_job.status, schedule.runs) == (job.pk, 'completed', 1)
    assert schedule.current_job().predecessor_id == job.pk


def test_a_paused_schedule_begins_no_job_on_any_way(work):
    job = scheduled()
    schedule = Schedule.objects.get()
    assert schedule.pause() is True
    assert schedule.pause() is False
    Job.objects.filter(pk=job.pk).update(due=0)
    Plain.enqueue_once(schedule_at=timezone.now(), interval=60)
    Plain.enqueue_once(interval=30)
    assert recovery.deliver_due() == 0
    recovery.redeliver_vanished()
    work()
    assert status(job) == 'scheduled'
    assert Schedule.objects.get().paused is True
    assert Schedule.objects.get().next_run is None


def test_a_job_that_was_handed_over_already_is_taken_back_by_a_pause(work):
    job = Plain.enqueue_once(interval=60)
    Schedule.objects.get().pause()
    assert status(job) == 'scheduled'
    assert delivery.queue('default').job_ids == []
    assert Schedule.objects.get().resume() is True
    recovery.deliver_due()
    work()
    assert status(job) == 'completed'
    assert Schedule.objects.get().resume() is False


def test_a_pause_in_the_very_moment_of_the_handing_over_counts(monkeypatch):
    job = scheduled()
    Job.objects.filter(pk=job.pk).update(due=0)
    monkeypatch.setattr(connection, 'is_resting', lambda queue_name: not Schedule.objects.get().pause())
    assert recovery.deliver_due() == 0
    assert status(job) == 'scheduled'


def test_a_pause_takes_back_a_retry_beside_the_occurrence_after_it():
    job = Plain.enqueue_once(interval=60, max_retries=1)
    claimed = claim.claim(str(job.job_id), 'w' * 32, 'default')
    following = Plain.enqueue_once(interval=30)
    assert requeue.requeue(claimed, 0, after='an error')
    recovery.deliver_due()
    assert (status(job), status(following)) == ('pending', 'scheduled')
    Schedule.objects.get().pause()
    assert (status(job), status(following)) == ('scheduled', 'scheduled')
    assert claim.claim(str(job.job_id), 'w' * 32, 'default') is None


def test_a_new_job_of_a_paused_schedule_waits_too(work):
    Plain.enqueue_once()
    work()
    Schedule.objects.get().pause()
    job = Plain.enqueue_once()
    work()
    assert status(job) == 'scheduled'


def test_what_depends_on_another_waits_for_a_paused_schedule_as_well(work):
    first = Plain.enqueue()
    second = Plain.enqueue_once(interval=60, depends_on=first)
    Schedule.objects.get().pause()
    work()
    assert (status(first), status(second)) == ('completed', 'scheduled')


def test_a_running_job_finishes_while_its_schedule_is_paused(work):
    job = Plain.enqueue_once(interval=60)
    job.start()
    schedule = Schedule.objects.get()
    schedule.pause()
    job.terminate()
    assert status(job) == 'completed'
    assert Job.objects.waiting().count() == 1
    Job.objects.waiting().update(due=0)
    assert recovery.deliver_due() == 0


def test_a_schedule_can_be_run_now_also_while_it_is_paused(work):
    job = scheduled()
    schedule = Schedule.objects.get()
    schedule.pause()
    assert schedule.run_now().pk == job.pk
    work()
    assert status(job) == 'completed'
    following = Job.objects.waiting().get()
    assert timedelta(minutes=59) < following.scheduled - job.started < timedelta(minutes=61)
    assert Schedule.objects.get().paused is True


def test_run_now_while_one_runs_is_nothing():
    job = Plain.enqueue_once(interval=60)
    job.start()
    assert Schedule.objects.get().run_now() is None


def test_a_schedule_is_changed_from_the_waiting_occurrence_on(work):
    Plain.enqueue_once(interval=60)
    work()
    job = Job.objects.waiting().get()
    schedule = Schedule.objects.get()
    schedule.change(interval=120)
    job.refresh_from_db()
    assert job.interval == 120
    assert job.scheduled - job.predecessor.started == timedelta(minutes=120)
    schedule.change(cron='0 3 * * *', timezone='UTC')
    job.refresh_from_db()
    assert (job.interval, job.scheduled.astimezone(UTC).hour, job.scheduled.minute) == (None, 3, 0)
    Job.objects.filter(pk=job.predecessor_id).delete()
    schedule.change(interval=5)
    assert Schedule.objects.get().recurrence == Recurrence(5)


@pytest.mark.parametrize('options', [{}, {'interval': 5, 'cron': '0 3 * * *'}, {'interval': 0}, {'cron': 'x'}])
def test_a_bad_change_is_refused(options):
    scheduled()
    with pytest.raises(ValueError):
        Schedule.objects.get().change(**options)
    assert Schedule.objects.get().interval == 60


def test_a_suspended_chain_can_be_resumed(work, settings):
    settings.NETBOX_JOBS = {'RUNNER_GRACE': 0}
    job = Plain.enqueue(interval=60)
    rename(job, 'tests.app.jobs.Nowhere')
    work()
    assert status(job) == 'errored'
    assert 'cannot be imported' in Schedule.objects.get().suspended
    assert not Job.objects.waiting().exists()
    rename(job, 'tests.app.jobs.Plain')  # the code is back
    schedule = Schedule.objects.get()
    assert schedule.resume() is True
    following = Job.objects.waiting().get()
    assert (following.predecessor_id, following.interval) == (job.pk, 60)
    assert Schedule.objects.get().suspended == ''


def test_ending_a_schedule_ends_the_chain(work):
    job = scheduled()
    Schedule.objects.get().end()
    assert not Job.objects.filter(pk=job.pk).exists()
    assert not Schedule.objects.exists()


# Queues, paused


def test_a_paused_queue_keeps_its_jobs_also_when_redis_forgets_them(work, caplog):
    assert PausedQueue.pause('low') is True
    assert PausedQueue.pause('low') is False
    taken, left = Plain.enqueue(queue_name='low'), Plain.enqueue(queue_name='low')
    delivery.queue('low').remove(str(left.job_id))  # lost before any worker took it
    other = Plain.enqueue()
    work()
    assert (status(taken), status(left), status(other)) == ('scheduled', 'pending', 'completed')
    Job.objects.filter(pk__in=(taken.pk, left.pk)).update(due=1)
    assert (recovery.deliver_due(), recovery.redeliver_vanished()) == (0, 0)
    assert PausedQueue.resume('low') is True
    assert (recovery.deliver_due(), recovery.redeliver_vanished()) == (1, 1)
    work()
    assert (status(taken), status(left)) == ('completed', 'completed')
    assert caplog.text.count('RQ has lost its delivery') == 1


def test_scheduled_jobs_of_a_paused_queue_wait(work):
    PausedQueue.objects.create(name='default')
    job = Plain.enqueue(schedule_at=timezone.now() + timedelta(hours=1))
    Job.objects.filter(pk=job.pk).update(due=1)
    assert recovery.deliver_due() == 0
    PausedQueue.objects.all().delete()
    assert recovery.deliver_due() == 1
    work()
    assert status(job) == 'completed'


def test_a_job_that_runs_is_not_disturbed_by_a_paused_queue():
    job = Sleeping.enqueue()
    job.start()
    PausedQueue.objects.create(name='default')
    job.terminate()
    assert status(job) == 'completed'

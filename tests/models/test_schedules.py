"""What recurs: by minutes or by a cron expression; changed, paused, resumed, run now, ended."""

from datetime import UTC, datetime, timedelta
from unittest.mock import patch
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from netbox_jobs.broker import connection, delivery
from netbox_jobs.core import registry
from netbox_jobs.core.recurrence import Recurrence
from netbox_jobs.jobs import JobRunner, system_job
from netbox_jobs.lifecycle import claim, requeue
from netbox_jobs.maintenance import recovery
from netbox_jobs.models import Job, PausedQueue, Schedule
from tests.app.jobs import Plain, Sleeping
from tests.app.models import Thing, Trace
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)

# Cron


@pytest.mark.once
@pytest.mark.parametrize('zone', ['Europe/Berlin', 'America/New_York'])
@pytest.mark.parametrize(
    'cron', ['0 3 * * 1-5', '30 2 * * *', '0 2 * * *', '15 1 * * *', '*/20 * * * *', '0 */2 * * *', '5 4 1 * *']
)
def test_cron_is_right_for_a_year_across_both_changes_of_the_clock(zone, cron):
    """Each occurrence is told from the one before it, as jobs do it, against the parser's own iterator."""
    tz = ZoneInfo(zone)
    begin, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    iterator = CronSim(cron, begin.astimezone(tz))
    recurrence = Recurrence(cron=cron, time_zone=zone)
    moment = begin
    seen = 0
    while moment < end:
        expected = next(iterator)
        moment = recurrence.next(moment, moment)
        assert moment == expected.astimezone(UTC)
        assert moment.tzinfo is UTC
        seen += 1
    assert seen >= 12


def test_a_time_that_the_clock_skips_comes_right_after_and_one_that_it_repeats_comes_once():
    berlin = Recurrence(cron='30 2 * * *', time_zone='Europe/Berlin')
    skipped = berlin.next(datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 3, 28, 12, tzinfo=UTC))
    assert skipped == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)  # 3:00 summer time
    first = berlin.next(datetime(2026, 10, 24, 12, tzinfo=UTC), datetime(2026, 10, 24, 12, tzinfo=UTC))
    assert first.astimezone(ZoneInfo('Europe/Berlin')).hour == 2
    assert berlin.next(first, first) - first > timedelta(hours=20)


def test_what_was_missed_while_nothing_ran_comes_once_and_then_by_the_calendar(work):
    job = Plain.enqueue(cron='0 * * * *')
    long_ago = timezone.now() - timedelta(days=3)
    Job.objects.filter(pk=job.pk).update(scheduled=long_ago, due=int(long_ago.timestamp() * 1000))
    recovery.deliver_due()
    work()
    assert status(job) == 'completed'
    successor = Job.objects.get(predecessor=job)
    assert timezone.now() < successor.scheduled <= timezone.now() + timedelta(hours=1)
    recovery.deliver_due()
    work()
    assert Trace.objects.filter(what='start').count() == 1


def test_the_time_zone_is_the_projects_if_omitted(settings):
    settings.TIME_ZONE = 'America/New_York'
    job = Plain.enqueue(cron='0 3 * * *')
    assert job.scheduled.astimezone(ZoneInfo('America/New_York')).hour == 3
    other = Plain.enqueue(cron='0 3 * * *', timezone='Asia/Tokyo')
    assert other.scheduled.astimezone(ZoneInfo('Asia/Tokyo')).hour == 3
    assert str(other.schedule.recurrence) == '0 3 * * * (Asia/Tokyo)'


def test_cron_beside_interval_on_every_way_to_schedule(work):
    thing = Thing.objects.create()
    one = Plain.enqueue(instance=thing, cron='0 3 * * *')
    once = Plain.enqueue_once(instance=thing, cron='0 4 * * *')
    assert Plain.enqueue_once(instance=thing, cron='0 4 * * *').pk == once.pk
    assert (one.status, once.status) == ('scheduled', 'scheduled')
    assert {schedule.cron for schedule in Schedule.objects.all()} == {'0 3 * * *', '0 4 * * *'}
    Plain.enqueue_once(instance=thing, cron='0 5 * * *')
    once.refresh_from_db()
    assert timezone.localtime(once.scheduled).hour == 5
    Plain.enqueue_once(instance=thing, interval=30)
    schedule = Schedule.objects.get(pk=once.schedule_id)
    assert (schedule.cron, schedule.interval) == ('', 30)


def test_the_first_run_may_be_given_a_time_of_its_own():
    moment = timezone.now() + timedelta(minutes=1)
    job = Plain.enqueue(cron='0 3 1 1 *', schedule_at=moment)
    assert job.scheduled == moment


def test_cron_keeps_its_chain_going(work):
    job = Plain.enqueue_once(cron='* * * * *', word='w')
    for _ in range(3):
        Job.objects.filter(pk=job.pk).update(due=0)
        recovery.deliver_due()
        work()
        assert status(job) == 'completed'
        job = Job.objects.get(predecessor=job)
    assert job.scheduled.second == 0
    assert job.get_arguments() == {'word': 'w'}
    assert Schedule.objects.get().runs == 3


@patch.dict(registry.system_jobs, clear=True)
def test_system_job_and_setup_take_cron():

    @system_job(cron='0 3 * * *', timezone='Europe/Berlin')
    class Nightly(JobRunner):
        def run(self):
            pass

    class Weekly(JobRunner):
        def run(self):
            pass

    Weekly.setup(cron='0 3 * * 0')
    assert registry.system_jobs == {
        Nightly: {'cron': '0 3 * * *', 'timezone': 'Europe/Berlin'},
        Weekly: {'cron': '0 3 * * 0'},
    }


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'cron': 'often'}, 'five fields'),
        ({'cron': '61 * * * *'}, 'cannot be read'),
        ({'cron': '0 0 31 2 *'}, 'cron'),
        ({'cron': '* * * *'}, 'five fields'),
        ({'cron': '* * * * * *'}, 'five fields'),
        ({'cron': 5}, 'five fields'),
        ({'cron': '0 3 * * *', 'timezone': 'Nowhere/Land'}, 'timezone'),
        ({'cron': '0 3 * * *', 'interval': 5}, 'exclude'),
    ],
)
def test_p8_a_bad_cron_is_refused_before_anything_is_written(options, message):
    for call in (Plain.enqueue, Plain.enqueue_once):
        with pytest.raises(ValueError, match=message):
            call(**options)
    assert not Job.objects.exists() and not Schedule.objects.exists()
    with pytest.raises(ImproperlyConfigured, match=message):
        system_job(**options)
    with pytest.raises(ImproperlyConfigured, match=message):
        Plain.setup(**options)


# Schedules, steered


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


def test_a_paused_schedule_begins_nothing_whoever_asks(work):
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
    Job.objects.filter(pk=job.pk).update(runner='tests.app.jobs.Nowhere')
    work()
    assert status(job) == 'errored'
    assert 'cannot be imported' in Schedule.objects.get().suspended
    assert not Job.objects.waiting().exists()
    Job.objects.filter(pk=job.pk).update(runner=job.runner)  # the code is back
    schedule = Schedule.objects.get()
    Job.objects.filter(pk=job.pk).update(runner='tests.app.jobs.Plain')
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

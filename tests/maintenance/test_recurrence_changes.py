"""A changed recurrence takes effect at once: of a system job, of the project's time zone."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from netbox_jobs.jobs import JobRunner, system_job
from netbox_jobs.maintenance import recovery
from netbox_jobs.models import Job, Schedule
from tests.app.jobs import Plain

pytestmark = pytest.mark.django_db(transaction=True)


def minutes_to(job):
    return (Job.objects.get(pk=job.pk).scheduled - timezone.now()).total_seconds() / 60


def after_a_run(work, **when):
    Plain.enqueue_once(**when)
    work()
    return Job.objects.waiting().get()


def test_a_shorter_interval_counts_from_the_last_run_and_not_from_the_old_due_time(work):
    waiting = after_a_run(work, interval=1440)
    assert minutes_to(waiting) > 1400
    assert Plain.enqueue_once(interval=5).pk == waiting.pk
    assert minutes_to(waiting) < 5.1
    Plain.enqueue_once(interval=5)
    assert minutes_to(waiting) < 5.1


def test_a_shorter_interval_whose_time_has_passed_comes_in_a_minute(work):
    waiting = after_a_run(work, interval=1440)
    hours_ago = timezone.now() - timedelta(hours=3)
    Job.objects.filter(pk=waiting.predecessor_id).update(scheduled=hours_ago, started=hours_ago)
    Job.objects.filter(pk=waiting.pk).update(created=hours_ago, scheduled=hours_ago + timedelta(days=1))
    Plain.enqueue_once(interval=5)
    assert 0 < minutes_to(waiting) <= 1.1


def test_a_shorter_interval_counts_also_when_retention_has_deleted_the_last_run(work):
    waiting = after_a_run(work, interval=1440)
    Job.objects.get(pk=waiting.predecessor_id).delete()
    Plain.enqueue_once(interval=5)
    assert minutes_to(waiting) < 5.1


def test_a_longer_interval_counts_after_the_next_run(work):
    waiting = after_a_run(work, interval=5)
    Plain.enqueue_once(interval=1440)
    assert minutes_to(waiting) < 5.1
    assert Job.objects.get(pk=waiting.pk).interval == 1440


def test_a_time_that_was_named_stays_when_the_interval_changes(work):
    tonight = timezone.now() + timedelta(hours=9)
    first = Plain.enqueue_once(schedule_at=tonight, interval=1440)
    Plain.enqueue_once(interval=5)
    assert Job.objects.get(pk=first.pk).scheduled == tonight
    first.delete()
    waiting = after_a_run(work, interval=1440)
    Plain.enqueue_once(schedule_at=tonight)
    Plain.enqueue_once(interval=5)
    assert Job.objects.get(pk=waiting.pk).scheduled == tonight


def test_another_time_zone_of_the_project_moves_what_goes_by_it(settings):
    settings.TIME_ZONE = 'Europe/Berlin'
    theirs, own = Plain.enqueue(cron='0 3 * * *'), Plain.enqueue(cron='0 3 * * *', timezone='Asia/Tokyo')
    often = Plain.enqueue(interval=7)
    before = {job.pk: Job.objects.get(pk=job.pk).scheduled for job in (theirs, own, often)}
    recovery.settle_dependents()
    assert {pk: Job.objects.get(pk=pk).scheduled for pk in before} == before
    settings.TIME_ZONE = 'America/New_York'
    recovery.settle_dependents()
    moved = Job.objects.get(pk=theirs.pk)
    assert moved.scheduled.astimezone(ZoneInfo('America/New_York')).hour == 3
    assert moved.due == int(moved.scheduled.timestamp() * 1000)
    assert {job.pk: Job.objects.get(pk=job.pk).scheduled for job in (own, often)} == {
        job.pk: before[job.pk] for job in (own, often)
    }
    assert set(Schedule.objects.filter(cron='0 3 * * *', time_zone='').values_list('default_zone', flat=True)) == {
        'America/New_York'
    }


@pytest.mark.parametrize(
    'cron',
    [
        '*/90 * * * *',
        '0 */36 * * *',
        '0 0 */40 * *',
        '0 0 1 */13 *',
        '0 0 * * */8',
        '0-20/30 * * * *',
        '5,*/61 * * * *',
    ],
)
def test_a_step_beyond_its_field_is_refused(cron):
    with pytest.raises(ValueError, match=r'the step \d+ of its'):
        Plain.enqueue(cron=cron)
    with pytest.raises(ImproperlyConfigured, match='the step'):
        system_job(cron=cron)(JobRunner)


@pytest.mark.parametrize('cron', ['*/60 * * * *', '*/20 * * * *', '0 */24 * * *', '0-30/15 * * * *', '0 0 */2 * 1-5'])
def test_a_step_within_its_field_is_taken(cron):
    assert Plain.enqueue(cron=cron).schedule.cron == cron

"""What recurs by a cron expression."""

from datetime import UTC, datetime, timedelta
from unittest.mock import patch
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from netbox_jobs.core import registry
from netbox_jobs.core.recurrence import Recurrence
from netbox_jobs.jobs import JobRunner, system_job
from netbox_jobs.maintenance import recovery
from netbox_jobs.models import Job, Schedule
from tests.app.jobs import Plain
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
    """Each occurrence is computed from the one before it, as jobs do it, against the parser's own iterator."""
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

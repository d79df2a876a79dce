"""How fast jobs are, over an hour, a day and a week; and the statistics that are kept of each hour."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from netbox_jobs.maintenance import statistics
from netbox_jobs.models import HourlyStatistics, Job
from netbox_jobs.monitoring import performance

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 3, 29, 12, 30, tzinfo=UTC)
RUNNER = 'tests.app.jobs.Plain'


@pytest.fixture(autouse=True)
def _now(monkeypatch):
    monkeypatch.setattr(performance, '_statistics', {})  # another test has other jobs in the same hours
    with time_machine.travel(NOW, tick=False):
        yield


def ended(ago, *, status='completed', waited=1.0, ran=2.0, queue='default', attempt=1, number=1):
    """Make jobs that ended some hours ago."""
    completed = NOW - timedelta(hours=ago)
    started = completed - timedelta(seconds=ran)
    Job.objects.bulk_create(
        Job(
            runner=RUNNER,
            name='Plain',
            status=status,
            queue_name=queue,
            created=started - timedelta(seconds=waited),
            started=started,
            completed=completed,
            execution_time=timedelta(seconds=ran),
            attempt=attempt,
        )
        for _ in range(number)
    )


def test_the_last_hour_is_read_from_the_jobs():
    ended(0.5, ran=2, number=9)
    ended(0.5, ran=80, status='errored')
    ended(1.5)
    found = performance.take('1h')
    tally = found.runners[RUNNER]
    assert (tally.count, tally.errored, tally.wrong) == (10, 1, 1)
    assert tally.runs.percentile(50) <= timedelta(seconds=2)
    assert tally.runs.percentile(99) > timedelta(seconds=70)
    assert found.per_second(tally) == pytest.approx(10 / 3600)


def test_a_busy_period_is_added_up_anew_only_after_a_while(monkeypatch):
    monkeypatch.setattr(performance, '_found', {})
    monkeypatch.setattr(performance, 'LARGE', 2)
    for number in range(2):
        ended(0.1)
        assert performance.take('24h').total.count == number + 1
    for _ in range(2):
        ended(0.1)
        assert performance.take('24h').total.count == 3
    monkeypatch.setattr(performance, 'FRESH', 0)
    assert performance.take('24h').total.count == 4


@pytest.mark.parametrize('rolled_up', [False, True])
def test_the_hours_of_a_day_are_those_of_the_clock_with_this_one(rolled_up):
    ended(0.1, ran=5)
    ended(3, number=3, status='failed', queue='low')
    ended(23.4)  # 13:06
    ended(23.6)  # 12:54, the day before
    if rolled_up:
        statistics.roll_up()
    found = performance.take('24h')
    assert list(found.hours) == [found.since + timedelta(hours=number) for number in range(24)]
    assert {hour.hour: tally.count for hour, tally in found.hours.items() if tally.count} == {12: 1, 9: 3, 13: 1}
    assert (found.total.count, found.failed) == (5, {'low': 3})
    assert [(name, tally.wrong) for name, tally in found.most_failing_runners()] == [(RUNNER, 3)]


def test_statistics_are_read_again_only_when_there_are_others(django_assert_num_queries):
    ended(3, number=3)
    statistics.roll_up()
    first = performance.take('7d')
    with django_assert_num_queries(3):  # which there are, and the jobs of the hours without
        second = performance.take('7d')
    assert first.total.count == second.total.count == 3
    assert first.runners[RUNNER].runs.stored() == second.runners[RUNNER].runs.stored()
    ended(2.5)
    Job.objects.filter(completed__lt=NOW - timedelta(hours=2.7)).delete()
    assert performance.take('7d').total.count == 4
    statistics.roll_up()
    assert performance.take('7d').total.count == 4
    assert performance.take('24h').hours[NOW.replace(minute=0) - timedelta(hours=3)].count == 3


def test_only_first_attempts_tell_how_long_jobs_wait():
    ended(0.1, waited=1)
    ended(0.1, waited=600, attempt=2)
    tally = performance.take('1h').queues['default']
    assert tally.waits.count == 1
    assert tally.runs.count == 2


@pytest.mark.parametrize('deleted', [False, True])
def test_a_day_and_a_week_are_read_from_statistics_also_when_the_jobs_are_gone(deleted):
    ended(3, ran=5, number=3)
    ended(30, ran=5, status='failed', number=4)
    ended(0.1, ran=5)
    assert statistics.roll_up() == 2
    if deleted:
        Job.objects.filter(completed__lt=NOW - timedelta(hours=1)).delete()
    assert performance.take('24h').runners[RUNNER].count == 4
    week = performance.take('7d').runners[RUNNER]
    assert (week.count, week.failed, week.runs.count) == (8, 4, 8)


def test_without_a_worker_that_adds_up_the_same_numbers_are_read_from_the_jobs():
    ended(3, number=3)
    ended(30, number=4)
    before = performance.take('7d').runners[RUNNER]
    statistics.roll_up()
    after = performance.take('7d').runners[RUNNER]
    assert before == after or (before.count, before.runs.stored()) == (after.count, after.runs.stored())
    assert before.count == 7


def test_each_hour_is_added_up_once_by_whichever_worker():
    ended(3, number=3)
    ended(3, queue='low')
    assert statistics.roll_up() == 1
    rows = list(HourlyStatistics.objects.order_by('queue_name').values_list('queue_name', 'count'))
    assert rows == [('default', 3), ('low', 1)]
    hour = HourlyStatistics.objects.first().hour
    statistics._add_up(hour)  # a second worker, which has not seen the rows of the first
    assert list(HourlyStatistics.objects.order_by('queue_name').values_list('queue_name', 'count')) == rows
    assert statistics.roll_up() == 0


def test_an_hour_that_has_just_ended_is_left_for_a_moment():
    ended(0.75, number=2)  # 11:45
    with time_machine.travel(datetime(2026, 3, 29, 12, 1, tzinfo=UTC), tick=False):
        assert statistics.roll_up() == 0
    assert statistics.roll_up() == 1


def test_old_statistics_are_deleted():
    HourlyStatistics.objects.create(hour=NOW - timedelta(days=30), queue_name='default', runner=RUNNER, count=1)
    ended(3)
    statistics.roll_up()
    assert HourlyStatistics.objects.count() == 1


def test_a_busy_hour_is_cut_and_the_rate_is_right(monkeypatch):
    monkeypatch.setattr(performance, 'ADDED_UP', 5)
    for minutes in range(1, 21):
        ended(minutes / 60)
    found = performance.take('1h')
    assert found.queues['default'].count == 5
    assert found.per_second(found.queues['default']) == pytest.approx(1 / 72)

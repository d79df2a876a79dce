"""P10: rates are exact; a job that is held back waits in the database, and costs no worker."""

from datetime import timedelta

import pytest

from netbox_jobs.broker import delivery
from netbox_jobs.core.waits import WaitKind
from netbox_jobs.jobs import Rate
from netbox_jobs.lifecycle import claim, requeue
from netbox_jobs.maintenance import recovery, slots
from netbox_jobs.models import Job, LimitRow, LimitSlot, PausedQueue, RateStart, Worker
from netbox_jobs.monitoring import waiting
from netbox_jobs.testing import run_jobs
from tests.app.rated import Hourly, HourlyFlaky, HourlyOfTenant
from tests.processes import status
from tests.windows import most_within, starts

pytestmark = pytest.mark.django_db(transaction=True)


def delivered():
    return [job_id[:36] for job_id in delivery.queue('default').job_ids]


def ids(*jobs):
    return [str(job.job_id) for job in jobs]


def take(job):
    return claim.claim(str(job.job_id), 'worker', 'default')


def an_hour_later():
    RateStart.objects.filter(until__isnull=False).update(until=1)
    LimitRow.objects.update(full_until=None)
    slots.give_slots()


def test_p10_no_more_jobs_begin_within_the_time_than_the_rate_says_also_when_they_have_ended():
    first, second, third = (Hourly.enqueue() for _ in range(3))
    assert delivered() == ids(first, second)
    take(first).terminate()
    slots.give_slots()
    assert take(third) is None
    assert (status(third), third.due, third.held) == ('scheduled', None, True)
    an_hour_later()  # since the first has begun; the second may begin now
    assert status(third) == 'pending'
    assert take(second) and take(third)
    fourth = Hourly.enqueue()
    assert status(fourth) == 'scheduled'


def test_p10_over_hours_no_window_has_more_starts_than_the_rate_says():
    jobs = Hourly.enqueue_many([{}] * 7)
    run_jobs(until=timedelta(minutes=59))
    assert Hourly.get_jobs().filter(status='completed').count() == 2
    run_jobs(until=timedelta(hours=5))
    assert Hourly.get_jobs().filter(status='completed').count() == 7
    begun = starts(jobs)
    assert most_within(3600, begun) == 2
    assert begun[-1] - begun[0] < 3 * 3600 + 60, 'and no fewer'


def test_jobs_of_a_rate_that_has_room_in_this_moment_are_run(monkeypatch):
    jobs = Hourly.enqueue_many([{}] * 3)
    run_jobs()
    look = slots.next_room

    def meanwhile():
        RateStart.objects.filter(until__isnull=False).update(until=1)
        LimitRow.objects.update(full_until=None)
        return look()

    monkeypatch.setattr(slots, 'next_room', meanwhile)
    run_jobs(until=timedelta(minutes=1))
    assert [status(job) for job in jobs] == ['completed'] * 3


def test_p10_each_attempt_counts_as_a_start():
    jobs = [HourlyFlaky.enqueue() for _ in range(2)]
    run_jobs(until=timedelta(minutes=30))
    assert [status(job) for job in jobs] == ['scheduled', 'scheduled']
    run_jobs(until=timedelta(hours=2))
    assert [status(job) for job in jobs] == ['completed', 'completed']
    assert len(starts(jobs)) == 4 and most_within(3600, starts(jobs)) == 2


def test_each_value_of_the_key_counts_alone_and_a_limit_counts_as_well():
    first, second, other = (HourlyOfTenant.enqueue(tenant=name) for name in ('a', 'a', 'b'))
    assert delivered() == ids(first)
    take(first).terminate()
    assert (status(second), status(other)) == ('scheduled', 'pending')
    take(other).terminate()
    assert status(second) == 'scheduled'
    an_hour_later()
    assert status(second) == 'pending'


@pytest.mark.parametrize('how', ['canceled', 'given back', 'paused', 'not begun'])
def test_p10_a_job_that_does_not_begin_does_not_count(how):
    periodic = Hourly.enqueue_once(interval=60)
    second, third = Hourly.enqueue(), Hourly.enqueue()
    assert (status(second), status(third)) == ('pending', 'scheduled')
    if how == 'canceled':
        second.cancel()
    elif how == 'paused':
        periodic.schedule.pause()
    elif how == 'not begun':
        requeue.requeue(take(second), 3600)
    else:
        Worker.objects.create(token='w', name='w', host='h', pid=1, queues='high,default')
        PausedQueue.pause('default')
        third = Hourly.enqueue(queue_name='high')
        Job.objects.filter(pk__in=(periodic.pk, second.pk)).update(due=1)
    LimitRow.objects.update(full_until=None)
    slots.give_slots()
    assert status(third) == 'pending'


def test_p10_a_job_that_was_deleted_counts_as_it_may_have_begun():
    first, _second, third = (Hourly.enqueue() for _ in range(3))
    take(first).delete()
    slots.give_slots()
    assert status(third) == 'scheduled'
    an_hour_later()
    assert status(third) == 'pending'


def test_a_full_rate_is_not_looked_at_before_it_has_room(django_assert_max_num_queries):
    Hourly.enqueue_many([{}] * 4)
    for job in Hourly.get_jobs().filter(status='pending'):
        take(job).terminate()
    slots.give_slots()
    assert LimitRow.objects.get().full_until is not None
    with django_assert_max_num_queries(10):
        slots.give_slots()


def test_p10_a_delivery_that_redis_has_lost_is_repeated_and_counts_once():
    first, second = Hourly.enqueue(), Hourly.enqueue()
    delivery.queue('default').connection.flushdb()
    Job.objects.update(due=1)
    assert recovery.redeliver_vanished() == 2
    assert take(first) and take(second)
    assert RateStart.objects.count() == 2


def test_a_successor_and_a_call_that_changes_the_key_keep_to_the_rate():
    job = HourlyOfTenant.enqueue_once(interval=5, tenant='a')
    take(job).terminate()
    following = Job.objects.get(predecessor_id=job.pk)
    assert (following.rate, following.rate_most, following.rate_per) == (job.rate, 1, 3_600_000)
    following.schedule.run_now()
    assert (status(following), following.due) == ('scheduled', None)
    HourlyOfTenant.enqueue_once(interval=5, tenant='b')
    assert status(following) == 'pending'


@pytest.mark.parametrize('rate', [Rate(3, per=3600), None])
def test_a_rate_that_is_changed_counts_from_the_next_start_on(rate, monkeypatch):
    first, second, third, fourth = (Hourly.enqueue() for _ in range(4))
    take(first).terminate()
    take(second).terminate()
    slots.give_slots()
    monkeypatch.setattr(Hourly.Meta, 'rate', rate)
    LimitRow.objects.update(full_until=1)  # a minute later
    slots.give_slots()
    assert (status(third), status(fourth)) == ('pending', 'scheduled' if rate else 'pending')


def test_p11_the_reason_names_the_rate_and_says_when_there_is_room():
    first, _second, third = (Hourly.enqueue() for _ in range(3))
    found = waiting.reason(Job.objects.get(pk=third.pk))
    assert (found.kind, found.most, found.per) == (WaitKind.RATE, 2, 3600)
    assert (found.limit, found.until) == ('tests.app.rated.Hourly', None)
    begun = [take(job).started for job in Hourly.get_jobs().filter(status='pending').order_by('pk')]
    slots.give_slots()
    found = waiting.reason(Job.objects.get(pk=third.pk))
    assert abs(found.until - begun[0] - timedelta(hours=1)) < timedelta(seconds=1)
    assert first.pk


def test_what_is_left_of_rates_is_swept():
    first, second = HourlyOfTenant.enqueue(tenant='a'), Hourly.enqueue()
    take(first).terminate()
    second.cancel()
    slots.sweep()
    assert [start.job_id for start in RateStart.objects.all()] == [first.pk]
    assert RateStart.objects.get().until is not None
    RateStart.objects.update(until=1)
    slots.sweep()
    assert not RateStart.objects.exists() and not LimitRow.objects.exists() and not LimitSlot.objects.exists()

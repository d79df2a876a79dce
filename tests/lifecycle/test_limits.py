"""P10: limits are exact; a job that is held back waits in the database."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.test import override_settings
from django.utils import timezone

from netbox_jobs.broker import delivery
from netbox_jobs.core.waits import WaitKind
from netbox_jobs.exceptions import AlreadyClaimed
from netbox_jobs.lifecycle import claim, requeue
from netbox_jobs.maintenance import recovery, slots
from netbox_jobs.models import Job, LimitRow, LimitSlot, PausedQueue, Worker
from netbox_jobs.monitoring import waiting
from netbox_jobs.monitoring.queues import queue_states
from netbox_jobs.testing import run_jobs
from tests.app.jobs import Plain
from tests.app.limited import Flaky, OfRegion, OfTenant, Two
from tests.app.models import Thing
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)

QUEUES = {'QUEUES': {'low': {'concurrency': 1}}}


def delivered():
    return [job_id[:36] for name in ('high', 'default', 'low') for job_id in delivery.queue(name).job_ids]


def ids(*jobs):
    return [str(job.job_id) for job in jobs]


def take(job):
    return claim.claim(str(job.job_id), 'worker', 'default')


def test_p10_only_as_many_jobs_as_may_run_are_delivered_and_can_be_claimed():
    first, second, third = (Two.enqueue() for _ in range(3))
    assert delivered() == ids(first, second)
    assert (status(first), status(third)) == ('pending', 'scheduled')
    assert take(third) is None
    running = take(first)
    assert (status(third), third.due, third.held) == ('scheduled', None, True)
    running.terminate()
    assert status(third) == 'pending'
    assert set(delivered()) == set(ids(first, second, third))
    assert take(third) and take(second)


def test_p10_a_job_that_has_waited_is_the_next_of_its_queue():
    first, second, third = (Two.enqueue() for _ in range(3))
    other = Plain.enqueue()
    take(first).terminate()
    assert delivered()[0] == str(third.job_id) and delivered()[-1] == str(other.job_id)
    assert second.pk


def test_a_recovery_that_looks_often_delivers_no_job_beyond_the_limit():
    jobs = Two.enqueue_many([{}] * 5)
    for _ in range(3):
        recovery.deliver_due()
        slots.give_slots()
        recovery.redeliver_vanished()
        recovery.settle_dependents()
    assert delivered() == ids(*jobs[:2])


def test_each_value_of_the_key_counts_alone():
    first, second, third = (OfTenant.enqueue(tenant=name) for name in ('a', 'a', 'b'))
    default, same = OfTenant.enqueue(), OfTenant.enqueue(tenant='main')
    assert delivered() == ids(first, third, default)
    assert same.limit == default.limit == 'tests.app.limited.OfTenant tenant=main'
    assert second.limit == 'tests.app.limited.OfTenant tenant=a'
    assert OfRegion.enqueue(tenant='eu1').limit == OfRegion.enqueue(tenant='eu2').limit == 'region key=eu'


@override_settings(NETBOX_JOBS=QUEUES)
def test_a_queue_has_a_limit_for_all_its_jobs():
    first, second = Plain.enqueue(queue_name='low'), OfTenant.enqueue(queue_name='low')
    other = Plain.enqueue()
    third = OfTenant.enqueue()
    assert delivered() == ids(other, third, first)
    take(first).terminate()
    assert status(second) == 'scheduled'  # the limit of its tenant has no slot for it
    take(third).terminate()
    assert status(second) == 'pending'


def test_a_limit_of_a_queue_that_is_gone_holds_no_job():
    with override_settings(NETBOX_JOBS=QUEUES):
        first, second = (Plain.enqueue(queue_name='low') for _ in range(2))
    with override_settings(NETBOX_JOBS={'QUEUES': {'low': {'concurrency': 2}}}):
        take(first).terminate()
        assert status(second) == 'pending'
    with override_settings(NETBOX_JOBS=QUEUES):
        third, fourth = (Plain.enqueue(queue_name='low') for _ in range(2))
    take(second).terminate()
    slots.give_slots()
    assert (status(third), status(fourth)) == ('pending', 'pending')


@pytest.mark.parametrize('how', ['completed', 'canceled', 'deleted', 'requeued', 'paused'])
def test_p10_a_slot_is_free_however_a_job_ceases_to_run(how):
    first, _second, third = (Two.enqueue() for _ in range(3))
    if how == 'completed':
        take(first).terminate()
    elif how == 'canceled':
        first.cancel()
    elif how == 'deleted':
        first.delete()
    elif how == 'requeued':
        requeue.requeue(take(first), 3600, after='x')
    else:
        periodic = Two.enqueue_once(interval=60)
        first.cancel()
        assert status(third) == 'pending'
        third.cancel()
        assert status(periodic) == 'pending'
        third = Two.enqueue()
        periodic.schedule.pause()
    slots.give_slots()
    assert status(third) == 'pending'


def test_a_retry_gives_its_slot_up_for_the_time_of_its_backoff():
    first, second = Flaky.enqueue(), Flaky.enqueue()
    run_jobs(raise_errors=False)
    assert (status(first), status(second)) == ('scheduled', 'scheduled')
    assert first.held and first.due is not None
    run_jobs(until=timedelta(hours=3))
    assert (status(first), status(second)) == ('completed', 'completed')


def test_a_job_that_is_due_later_waits_for_a_slot_then():
    moment = timezone.now() + timedelta(hours=1)
    later = OfTenant.enqueue(schedule_at=moment)
    now = OfTenant.enqueue()
    assert (status(later), status(now)) == ('scheduled', 'pending')
    Job.objects.filter(pk=later.pk).update(due=1)
    assert recovery.deliver_due() == 0
    assert (status(later), later.due) == ('scheduled', None)
    take(now).terminate()
    assert status(later) == 'pending'


def test_a_job_that_depends_on_others_waits_for_a_slot_after_them():
    first = Plain.enqueue()
    busy = OfTenant.enqueue()
    dependent = OfTenant.enqueue(depends_on=first)
    take(first).terminate()
    assert (status(dependent), dependent.due) == ('scheduled', None)
    take(busy).terminate()
    assert status(dependent) == 'pending'


def test_periodic_jobs_have_limits_too():
    busy = OfTenant.enqueue()
    job = OfTenant.enqueue_once(interval=5)
    assert (status(job), job.due) == ('scheduled', None)
    assert OfTenant.enqueue_once(interval=5, tenant='b').pk == job.pk
    assert (status(job), job.limit) == ('pending', 'tests.app.limited.OfTenant tenant=b')
    take(job).terminate()
    following = Job.objects.get(predecessor_id=job.pk)
    assert (following.limit, following.held) == (job.limit, True)
    following.schedule.run_now()
    assert status(following) == 'pending'
    assert status(busy) == 'pending'


def test_a_rollback_leaves_nothing_and_a_commit_delivers():
    with pytest.raises(RuntimeError), transaction.atomic():
        OfTenant.enqueue()
        raise RuntimeError
    with transaction.atomic():
        first, second = OfTenant.enqueue(), OfTenant.enqueue()
        assert delivered() == []
    assert delivered() == ids(first)
    assert status(second) == 'scheduled'


def test_an_immediate_job_neither_waits_nor_counts():
    busy = OfTenant.enqueue()
    assert OfTenant.enqueue(immediate=True).status == 'completed'
    assert status(busy) == 'pending'
    with pytest.raises(AlreadyClaimed):
        take(busy)
        Job.objects.get(pk=busy.pk).start()


def test_p11_the_reason_names_the_limit_and_who_has_its_slots():
    first, second = OfTenant.enqueue(), OfTenant.enqueue()
    found = waiting.reason(Job.objects.get(pk=second.pk))
    assert (found.kind, found.most, found.jobs) == (WaitKind.LIMIT, 1, (first.pk,))
    assert found.limit == 'tests.app.limited.OfTenant tenant=main'
    assert next(state for state in queue_states() if state.name == 'default').waiting == 2
    PausedQueue.pause('default')
    assert waiting.reason(Job.objects.get(pk=second.pk)).kind == WaitKind.QUEUE_PAUSED


@pytest.mark.parametrize('how', ['paused', 'not served', 'later in line'])
def test_p10_a_job_that_no_worker_takes_keeps_no_slot_from_one_that_would_run(how):
    queues = {'paused': 'high,low', 'not served': 'high', 'later in line': 'high,low'}[how]
    Worker.objects.create(token='w', name='w', host='h', pid=1, queues=queues)
    other, job = OfTenant.enqueue(queue_name='low'), OfTenant.enqueue(queue_name='high')
    if how == 'paused':
        PausedQueue.pause('low')
    Job.objects.filter(pk=other.pk).update(due=1)
    slots.give_slots()
    assert (status(other), status(job)) == ('scheduled', 'pending')
    assert delivered() == ids(job)
    Job.objects.filter(pk=job.pk).update(due=1)
    slots.give_slots()
    assert (status(other), status(job)) == ('scheduled', 'pending')
    PausedQueue.objects.all().delete()
    take(job).terminate()
    assert status(other) == 'pending'


def test_what_is_left_of_limits_is_swept():
    first, second = OfTenant.enqueue(), OfTenant.enqueue(tenant='b')
    take(first).terminate()
    second.delete()
    kept = OfTenant.enqueue(tenant='c')
    slots.sweep()
    assert [slot.job_id for slot in LimitSlot.objects.all()] == [kept.pk]
    assert [row.name for row in LimitRow.objects.all()] == [kept.limit]


def test_the_object_that_enqueue_returns_shows_whether_the_job_has_a_slot():
    assert [OfTenant.enqueue().status for _ in range(2)] == ['pending', 'scheduled']


def test_a_delivered_job_without_a_slot_is_held_back_by_the_worker_and_waits_in_line(work):
    first, second = OfTenant.enqueue(), OfTenant.enqueue()
    Job.objects.filter(pk=second.pk).update(status='pending', due=1, deliveries=1)
    delivery.queue('default').empty()
    delivery.queue('default').enqueue_call(delivery.ENTRY, args=(str(second.job_id),), job_id=str(second.job_id))
    work()
    assert status(second) == 'scheduled'
    recovery.deliver_due()
    assert (status(second), second.due) == ('scheduled', None)
    take(first).terminate()
    assert status(second) == 'pending'


def test_a_job_that_has_lost_its_place_in_line_is_found():
    first, second = OfTenant.enqueue(), OfTenant.enqueue()
    LimitSlot.objects.filter(job=second).delete()
    take(first).terminate()
    assert (status(second), second.due) == ('scheduled', None)
    slots.sweep()
    recovery.deliver_due()
    assert status(second) == 'pending'


def test_a_limit_that_fails_to_be_served_prevents_no_end(monkeypatch, caplog):
    first, second = OfTenant.enqueue(), OfTenant.enqueue()
    with monkeypatch.context() as patch:
        patch.setattr('netbox_jobs.lifecycle.limits.serve', lambda *args: 1 / 0)
        take(first).terminate()
    assert (status(first), status(second)) == ('completed', 'scheduled')
    assert 'could not be given to another job yet' in caplog.text
    assert slots.give_slots() == 1
    assert status(second) == 'pending'


def test_more_jobs_than_one_statement_takes_are_lined_up():
    Two.enqueue_many([{}] * 1_200)
    assert LimitSlot.objects.filter(since__isnull=False).count() == 1_198


def test_jobs_in_line_that_were_deleted_or_are_paused_hold_up_no_others():
    first = OfTenant.enqueue()
    OfTenant.enqueue_many([{}] * 120)
    Job.objects.exclude(pk=first.pk).delete()
    things = [Thing.objects.create() for _ in range(60)]
    for thing in things:
        OfTenant.enqueue_once(instance=thing, interval=5).schedule.pause()
    last = OfTenant.enqueue()
    take(first).terminate()
    assert status(last) == 'pending'

"""Priorities within a queue, and turns of keys."""

from contextlib import nullcontext

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

from netbox_jobs.broker import delivery
from netbox_jobs.core import order
from netbox_jobs.core.waits import WaitKind
from netbox_jobs.enqueue import bulk_insert
from netbox_jobs.jobs import JobRunner
from netbox_jobs.lifecycle import claim, requeue
from netbox_jobs.maintenance import recovery, slots
from netbox_jobs.models import FairTurn, Job, LimitSlot, Worker
from netbox_jobs.monitoring import waiting
from netbox_jobs.testing import run_jobs
from tests.app.jobs import Plain
from tests.app.ordered import InTurns, InTurnsOneAtOnce, Urgent
from tests.dying import at_each_statement
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def one_ahead(monkeypatch):
    """One job at a time is delivered ahead, so that each one is the next that a worker takes."""
    monkeypatch.setattr(order, 'AHEAD', 1)


@pytest.fixture(autouse=True)
def queue(monkeypatch):
    """The queue in Redis as a list, so that a busy machine, where Redis may answer late, changes no order."""
    ids: list[str] = []

    def deliver(made, *, inline=True):
        ids.insert(0 if made.options.get('at_front') else len(ids), made.job_id)
        return True

    monkeypatch.setattr(delivery, 'deliver', deliver)
    monkeypatch.setattr(delivery, 'deliver_many', lambda made: sum(map(deliver, made)))
    return ids


def drain(queue):
    """Run what is delivered, in the order of the queue, as one worker; return the jobs in that order."""
    ran = []
    while queue or (slots.give_slots() and queue):
        if (job := claim.claim(queue.pop(0), 'worker', 'default')) is not None:
            job.terminate()
            ran.append(job)
    return ran


def arguments(jobs, name):
    return [job.get_arguments()[name] for job in jobs]


def test_urgent_jobs_come_before_plain_ones_and_these_before_late_ones(queue):
    jobs = {priority: Plain.enqueue(priority=priority) for priority in (5, 0, 3, 9, 6)}
    assert status(jobs[3]) == 'scheduled'
    assert [job.priority for job in drain(queue)] == [9, 6, 5, 3, 0]


@pytest.mark.parametrize('number', [3, 12])
def test_jobs_of_one_priority_keep_their_order(number, queue):
    jobs = Urgent.enqueue_many([{'number': count} for count in range(number)])
    assert arguments(drain(queue), 'number') == list(range(number))
    assert len(jobs) == number


def test_what_comes_later_and_is_more_urgent_waits_for_few_jobs(queue):
    Plain.enqueue_many([{'priority': 6}] * 15)
    last = Plain.enqueue(priority=9)
    assert drain(queue).index(last) <= order.AHEAD


def test_a_job_without_a_place_in_the_order_costs_nothing_and_is_delivered_as_ever():
    job = Plain.enqueue()
    assert (status(job), job.priority, job.held, job.slotted) == ('pending', 5, False, False)
    assert not LimitSlot.objects.exists()


def test_a_tenant_with_many_jobs_does_not_hold_up_the_first_job_of_another(one_ahead, queue):
    InTurns.enqueue_many([{'tenant': 'large'}] * 12)
    small = [InTurns.enqueue(tenant='small') for _ in range(3)]
    ran = arguments(drain(queue), 'tenant')
    assert ran[:8] == ['large', 'small', 'large', 'small', 'large', 'small', 'large', 'large']
    assert len(ran) == 15 and len(small) == 3


def test_keys_take_turns_also_if_several_jobs_are_delivered_ahead(queue):
    InTurns.enqueue_many([{'tenant': f'{number // 5}'} for number in range(25)])
    ran = arguments(drain(queue), 'tenant')
    assert len(ran) == 25
    assert all(len(set(ran[first : first + 5])) == 5 for first in range(0, 25, 5))


def test_keys_take_turns_under_a_limit_too(queue):
    InTurnsOneAtOnce.enqueue_many([{'tenant': 'large'}] * 10)
    InTurnsOneAtOnce.enqueue_many([{'tenant': 'small'}] * 3)
    assert arguments(drain(queue), 'tenant')[:7] == ['large', 'small', 'large', 'small', 'large', 'small', 'large']


def test_priorities_count_before_turns_and_jobs_without_a_key_share_a_turn(one_ahead, queue):
    InTurns.enqueue_many([{'tenant': 'a'}] * 3)
    InTurns.enqueue_many([{'tenant': 'b'}] * 3)
    Plain.enqueue(priority=7)
    InTurns.enqueue(tenant='b', priority=6)
    ran = [(job.priority, job.get_arguments().get('tenant')) for job in drain(queue)]
    assert ran[:3] == [(5, 'a'), (7, None), (6, 'b')]
    assert [tenant for _priority, tenant in ran[3:]] in (['b', 'a', 'b', 'a', 'b'], ['a', 'b', 'a', 'b', 'b'])


def test_a_retry_a_successor_and_a_retry_by_hand_keep_their_priority(queue):
    job = Plain.enqueue(priority=8, interval=60)
    running = claim.claim(str(job.job_id), 'worker', 'default')
    requeue.requeue(running, 0, after='x')
    recovery.deliver_due()
    assert queue[0] == str(job.job_id)
    claim.claim(str(job.job_id), 'worker', 'default').terminate()
    following = Job.objects.get(predecessor_id=job.pk)
    assert (following.priority, following.held) == (8, True)
    assert Job.objects.get(pk=job.pk).retry().priority == 8


def test_enqueue_once_changes_the_priority_of_the_job_that_waits(queue):
    Plain.enqueue_many([{'priority': 7}] * 15)
    job = InTurns.enqueue_once(interval=60, tenant='a')
    assert (status(job), job.fair_key) == ('scheduled', order.key_of('tenant', InTurns.run, {'tenant': 'a'}))
    assert InTurns.enqueue_once(interval=60, tenant='b', priority=9).pk == job.pk
    job = Job.objects.get(pk=job.pk)
    assert (job.priority, job.fair_key) == (9, order.key_of('tenant', InTurns.run, {'tenant': 'b'}))
    assert drain(queue).index(job) <= order.AHEAD


def test_p11_a_job_waits_in_line_in_its_queue():
    Worker.objects.create(token='w', name='w', host='h', pid=1, queues='high,default')
    Plain.enqueue_many([{'priority': 7}] * 15)
    last = Job.objects.filter(status='scheduled').first()
    assert waiting.reason(last).kind == WaitKind.IN_LINE


def test_p1_redis_flushed_and_killed_at_any_statement_no_job_with_a_place_in_the_order_is_lost(queue, monkeypatch):
    monkeypatch.setattr(bulk_insert, 'BATCH', 1)  # a statement for each job: they are one transaction anyway

    def act():
        InTurns.enqueue_many([{'tenant': f'{number % 3}', 'priority': 4 + number % 3} for number in range(6)])

    for number in at_each_statement(act):
        queue.clear()
        stored = InTurns.get_jobs().count()
        assert stored in (0, 6)
        recovery.deliver_due()
        InTurns.get_jobs().filter(status='pending').update(due=1)
        recovery.redeliver_vanished()
        slots.give_slots()
        assert len(drain(queue)) == stored, number
        Job.objects.all().delete()
        FairTurn.objects.all().delete()
    assert stored == 6


@pytest.mark.parametrize('tenant', ['large', 'new'])
@pytest.mark.parametrize('within', [False, True])
def test_p1_killed_at_any_statement_a_job_that_lines_up_behind_others_is_not_lost(tenant, within, queue):
    def act():
        with transaction.atomic() if within else nullcontext():
            InTurns.enqueue(tenant=tenant)

    InTurns.enqueue_many([{'tenant': 'large'}] * 15)
    for number in at_each_statement(act):
        stored = InTurns.get_jobs().count()
        recovery.deliver_due()
        assert len(drain(queue)) == stored, number
        Job.objects.all().delete()
        FairTurn.objects.exclude(key=order.key_of('tenant', InTurns.run, {'tenant': 'large'})).delete()
        queue.clear()
        InTurns.enqueue_many([{'tenant': 'large'}] * 15)
    assert stored == 16


def test_few_jobs_are_delivered_at_once_and_none_before_one_that_waits(queue):
    first = [Plain.enqueue(priority=7) for _ in range(order.AHEAD)]
    assert {status(job) for job in first} == {'pending'}
    assert not LimitSlot.objects.exists()
    behind = [Plain.enqueue(priority=7) for _ in range(3)]
    assert {status(job) for job in behind} == {'scheduled'}
    for _job in first[:9]:
        claim.claim(queue.pop(0), 'worker', 'default')
    last = Plain.enqueue(priority=7)
    ran = drain(queue)
    assert ran == [first[9], *behind, last]


def test_jobs_that_were_delivered_at_once_count_as_delivered_ahead(queue):
    Plain.enqueue_many([{}] * 20)
    jobs = [InTurns.enqueue(tenant='a') for _ in range(14)]
    assert [status(job) for job in jobs] == ['pending'] * order.AHEAD + ['scheduled'] * 4
    assert len(drain(queue)) == 34


def test_a_key_that_was_forgotten_while_a_job_of_it_came_is_found(queue):
    InTurns.enqueue_many([{'tenant': 'a'}] * 12)
    FairTurn.objects.exclude(key='').delete()
    slots.sweep()
    assert FairTurn.objects.exclude(key='').count() == 1
    drain(queue)
    FairTurn.objects.update(served=1)
    slots.sweep()
    assert not FairTurn.objects.exists()


def test_tests_that_run_jobs_keep_the_order():
    jobs = [Plain.enqueue(priority=priority) for priority in (5, 2, 9)]
    assert run_jobs() == [jobs[2], jobs[0], jobs[1]]


@pytest.mark.parametrize(
    'meta', [{'priority': 10}, {'priority': True}, {'priority': None}, {'fair_by': 3}, {'fair_by': 'tenat'}]
)
def test_an_order_that_is_not_acceptable_is_refused_when_the_class_is_made(meta):
    with pytest.raises(ImproperlyConfigured, match=r'priority|fair_by'):
        type('Wrong', (JobRunner,), {'Meta': type('Meta', (), meta), 'run': lambda self, tenant: None})


@pytest.mark.parametrize('priority', [-1, 10, '5', True, 5.0])
def test_a_priority_that_is_not_acceptable_is_refused_by_the_call(priority):
    with pytest.raises(ValueError, match='priority is'):
        Plain.enqueue(priority=priority)
    assert not Job.objects.exists()

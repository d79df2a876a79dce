"""P5 within transactions: several schedules are locked in any order, and no call waits in the database for another."""

from functools import partial
from random import Random

import pytest
from django.db import transaction

from netbox_jobs.core import arguments, reasons, transactions
from netbox_jobs.core.waits import WaitKind
from netbox_jobs.exceptions import ArgumentsUnknown
from netbox_jobs.lifecycle import claim
from netbox_jobs.maintenance import recovery, slots
from netbox_jobs.models import Job, PendingChange, Schedule
from netbox_jobs.monitoring.waiting import reason
from tests.app.jobs import Plain
from tests.app.limited import OfTenant
from tests.app.models import Thing
from tests.enqueue.test_isolation import in_threads
from tests.enqueue.test_missing_arguments import Demanding
from tests.processes import status
from tests.sessions import elsewhere

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize('existing', [False, True])
@pytest.mark.parametrize('changed', [False, True])
def test_p5_transactions_that_have_the_same_objects_in_different_orders_do_not_deadlock(existing, changed):
    things = [Thing.objects.create() for _ in range(5)]
    if existing:
        for thing in things:
            Plain.enqueue_once(instance=thing, interval=60)

    def act(n):
        order = things if n % 2 else things[::-1]
        for turn in range(3):
            with transaction.atomic():
                for thing in order:
                    Plain.enqueue_once(instance=thing, interval=60 + turn + n if changed else 60)

    assert in_threads(4, act) == []
    recovery.settle_dependents()
    assert not PendingChange.objects.exists()
    for thing in things:
        waiting = Plain.get_jobs(thing).waiting().get()
        assert waiting.slot == waiting.schedule_id == Schedule.objects.get(object_id=str(thing.pk)).pk
        assert waiting.interval == waiting.schedule.interval
    assert Schedule.objects.count() == 5
    ended = Job.objects.exclude(pk__in=Job.objects.waiting())
    assert set(ended.values_list('status', flat=True)) <= {'canceled'}


def test_a_call_that_changes_nothing_takes_no_lock():
    thing = Thing.objects.create()
    job = Plain.enqueue_once(instance=thing, interval=5, queue_name='low')
    with elsewhere(lambda: Plain.enqueue_once(instance=thing, interval=5)), transaction.atomic():
        assert Plain.enqueue_once(instance=thing, queue_name='low') == job
        assert Schedule.objects.select_for_update(nowait=True).get() == job.schedule


def test_a_job_whose_schedule_is_being_made_joins_it_when_that_was_rolled_back():
    thing = Thing.objects.create()

    def give_up():
        Plain.enqueue_once(instance=thing, interval=7)
        transaction.set_rollback(True)

    with elsewhere(give_up):
        with transaction.atomic():
            job = Plain.enqueue_once(instance=thing, interval=5, word='x')
        assert (status(job), job.schedule_id, job.due) == ('scheduled', None, None)
        assert reason(job).kind is WaitKind.SCHEDULE_LOCKED
        assert 'schedule' in reasons.in_words(reason(job))
        assert recovery.deliver_due() == 0
    recovery.settle_dependents()
    assert status(job) == 'pending'
    assert (job.interval, job.slot, job.schedule.interval) == (5, job.schedule_id, 5)
    assert job.get_arguments() == {'word': 'x'}
    assert Plain.enqueue_once(instance=thing) == job


def test_a_job_whose_schedule_has_another_by_then_hands_over_what_it_asked_for(django_user_model):
    thing, user = Thing.objects.create(), django_user_model.objects.create()
    first = Plain.enqueue_once(instance=thing, interval=7, word='first')
    with elsewhere(lambda: Plain.enqueue_once(instance=thing, queue_name='low')), transaction.atomic():
        late = Plain.enqueue_once(instance=thing, interval=5, word='late', user=user)
        after = Plain.enqueue(depends_on=late)
    recovery.settle_dependents()
    assert status(late) == 'canceled'
    assert f'Job {first.pk} ' in late.error
    assert status(first) in ('pending', 'scheduled')
    assert (first.interval, first.queue_name, first.user, first.get_arguments()) == (5, 'low', user, {'word': 'late'})
    assert first.schedule.interval == 5
    assert status(after) == 'pending'
    assert list(after.dependencies.all()) == [first]


def test_what_a_later_call_names_counts_although_an_earlier_one_has_not_joined_yet():
    thing = Thing.objects.create()
    first = Plain.enqueue_once(instance=thing, interval=7)
    with elsewhere(lambda: Schedule.objects.get().pause()), transaction.atomic():
        late = Plain.enqueue_once(instance=thing, interval=5, queue_name='low', word='late')
    Plain.enqueue_once(instance=thing, interval=9)
    recovery.settle_dependents()
    assert (status(late), status(first)) == ('canceled', 'scheduled')
    assert (first.interval, first.queue_name, first.get_arguments()) == (9, 'low', {'word': 'late'})
    assert (first.schedule.interval, first.schedule.queue_name) == (9, 'low')


def test_a_call_of_old_code_leaves_a_late_job_alone_whose_arguments_it_cannot_read(monkeypatch):
    thing = Thing.objects.create()
    with elsewhere(lambda: Plain.enqueue_once(instance=thing)), transaction.atomic():
        late = Plain.enqueue_once(instance=thing, interval=5, word='late')
    with monkeypatch.context() as old:
        old.setattr(arguments, 'decode', unknown)
        Plain.enqueue_once(instance=thing, queue_name='low')
        recovery.settle_dependents()
    assert status(late) == 'scheduled'
    recovery.settle_dependents()
    waiting = Plain.get_jobs(thing).waiting().get()
    assert (waiting.interval, waiting.queue_name, waiting.get_arguments()) == (5, 'low', {'word': 'late'})


def unknown(*args):
    raise ArgumentsUnknown('newer')


def test_a_late_job_becomes_what_follows_a_running_one():
    thing = Thing.objects.create()
    first = Plain.enqueue_once(instance=thing, interval=7)
    running = claim.claim(str(first.job_id), 'worker', 'default')
    with elsewhere(lambda: Schedule.objects.get().pause()), transaction.atomic():
        Plain.enqueue_once(instance=thing, interval=5)
    recovery.settle_dependents()
    waiting = Plain.get_jobs(thing).waiting().get()
    assert (waiting.predecessor_id, waiting.interval, waiting.schedule.paused) == (first.pk, 5, True)
    running.terminate()
    assert Plain.get_jobs(thing).waiting().get() == waiting


def test_a_late_job_that_is_canceled_or_deleted_stays_so():
    things = [Thing.objects.create() for _ in range(2)]

    def hold():
        for thing in things:
            Plain.enqueue_once(instance=thing)
        transaction.set_rollback(True)

    with elsewhere(hold):
        with transaction.atomic():
            canceled, deleted = (Plain.enqueue_once(instance=thing, interval=5) for thing in things)
        assert canceled.cancel()
        deleted.delete()
    recovery.settle_dependents()
    assert status(canceled) == 'canceled'
    assert not PendingChange.objects.exists()
    assert not Job.objects.waiting().exists()


def test_nothing_is_left_of_a_late_job_whose_transaction_is_rolled_back():
    thing = Thing.objects.create()
    with elsewhere(lambda: Plain.enqueue_once(instance=thing)), transaction.atomic():
        Plain.enqueue_once(instance=thing, interval=5)
        transaction.set_rollback(True)
    recovery.settle_dependents()
    assert not PendingChange.objects.exists()
    assert Job.objects.get().interval is None


def test_a_job_of_a_runner_with_a_limit_waits_for_a_slot_once_it_has_joined_its_schedule():
    thing = Thing.objects.create()
    busy = OfTenant.enqueue()

    def keep_locked():
        OfTenant.enqueue_once(instance=thing, interval=5, tenant='b')

    with elsewhere(keep_locked), transaction.atomic():
        late = OfTenant.enqueue_once(instance=thing, interval=7, tenant='main')
    assert reason(Job.objects.get(pk=late.pk)).kind == WaitKind.SCHEDULE_LOCKED
    slots.sweep()
    recovery.deliver_due()
    slots.give_slots()
    assert reason(Job.objects.get(pk=late.pk)).kind == WaitKind.SCHEDULE_LOCKED
    recovery.settle_dependents()
    recovery.deliver_due()
    waiting = Job.objects.waiting().get(object_id=str(thing.pk))
    assert (waiting.limit, waiting.interval, waiting.status) == (busy.limit, 7, 'scheduled')
    assert reason(waiting).kind == WaitKind.LIMIT
    claim.claim(str(busy.job_id), 'worker', 'default').terminate()
    assert status(waiting) == 'pending'


@pytest.mark.parametrize('seed', range(3))
def test_p4_p5_whatever_happens_beside_each_other_each_object_has_one_chain_at_the_end(seed):
    things = [Thing.objects.create() for _ in range(4)]
    for thing in things[:2]:
        Plain.enqueue_once(instance=thing, interval=60)

    def act(n):
        random = Random(f'{seed} {n}')

        def several():
            with transaction.atomic():
                for thing in random.sample(things, 3):
                    Plain.enqueue_once(instance=thing, interval=random.choice([60, 61, 62]))
                transaction.set_rollback(random.random() < 0.2)

        for _ in range(8):
            match random.randrange(5):
                case 0 | 1:
                    # On MariaDB, gap locks may make a caller's transaction the victim of a deadlock: the caller's to
                    # repeat, as the guide says.
                    transactions.again(several, 'default')
                case 2:
                    Plain.enqueue_once(instance=random.choice(things), interval=60, n=n)
                case 3:
                    for job in Job.objects.waiting().filter(due__isnull=False).order_by('?')[:2]:
                        due = Job.objects.filter(pk=job.pk, status='scheduled')
                        transactions.again(partial(due.update, status='pending', due=1), 'default')
                        if held := claim.claim(str(job.job_id), f'{seed} {n}', 'default'):
                            held.terminate(random.choice(['completed', 'errored']))
                case _:
                    recovery.settle_dependents()

    assert in_threads(6, act) == []
    for thing in things:
        Plain.enqueue_once(instance=thing, interval=60)
    for _ in range(3):
        recovery.settle_dependents()
    assert not PendingChange.objects.exists()
    assert not Job.objects.running().exists()
    for thing in things:
        waiting = Plain.get_jobs(thing).waiting().get()
        assert waiting.slot == waiting.schedule_id == Schedule.objects.get(object_id=str(thing.pk)).pk
        assert waiting.interval == waiting.schedule.interval == 60
        assert waiting.due is not None
    ended = Job.objects.ended().exclude(status='canceled')
    assert sum(Schedule.objects.values_list('runs', flat=True)) == ended.count()


def test_p8_beside_a_locked_schedule_what_the_call_omits_is_taken_from_the_schedule():
    first = Demanding.enqueue_once(interval=5, url='a', depth=1)
    with elsewhere(lambda: Schedule.objects.update(name='held')), transaction.atomic():
        Demanding.enqueue_once(interval=7)
        with pytest.raises(TypeError, match="lacks the argument 'depth'"):
            Demanding.enqueue_once(url='b')
    assert Job.objects.get(pk=first.pk).get_arguments() == {'url': 'a', 'depth': 1}

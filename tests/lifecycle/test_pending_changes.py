"""What is left for recovery, by one process, while another does what was left before: neither forgets the other's."""

import threading
from contextlib import ExitStack

import pytest
from django.db import connections, transaction

from netbox_jobs.enqueue import join
from netbox_jobs.lifecycle import claim, record, requeue, successor
from netbox_jobs.maintenance import chains, recovery
from netbox_jobs.models import Job, PendingChange, Schedule
from tests.app.jobs import Plain
from tests.app.models import Thing
from tests.enqueue.test_isolation import in_threads
from tests.processes import status, wait_for
from tests.sessions import elsewhere

pytestmark = pytest.mark.django_db(transaction=True)


def take(job):
    Job.objects.filter(pk=job.pk, status='scheduled').update(status='pending', due=1)
    return claim.claim(str(job.job_id), 'worker', 'default')


def beside_a_locked_schedule(act):
    with elsewhere(lambda: Schedule.objects.update(name='held')):
        act()


def once_meanwhile(monkeypatch, module, name, act):
    """Have another session do something when this function is called for the first time."""
    original = getattr(module, name)

    def _call(*args, **kwargs):
        monkeypatch.setattr(module, name, original)
        assert in_threads(1, lambda _n: act()) == []
        return original(*args, **kwargs)

    monkeypatch.setattr(module, name, _call)


def settled():
    for _ in range(3):
        recovery.settle_dependents()
    assert not PendingChange.objects.exists()


def test_p4_the_end_of_a_late_job_that_another_process_has_had_join_is_not_forgotten(monkeypatch):
    thing = Thing.objects.create()
    with elsewhere(lambda: Plain.enqueue_once(instance=thing, interval=7)), transaction.atomic():
        late = Plain.enqueue_once(instance=thing, interval=5)
    Plain.get_jobs(thing).exclude(pk=late.pk).delete()
    late.refresh_from_db()
    assert late.due is None and PendingChange.objects.get().key

    def join_and_end():
        recovery.settle_dependents()
        beside_a_locked_schedule(lambda: take(late).terminate())

    once_meanwhile(monkeypatch, join, '_late_job', join_and_end)
    chains.make_pending_changes(lambda: None)
    assert (status(late), PendingChange.objects.get().key) == ('completed', '')
    settled()
    assert Schedule.objects.get().runs == 1
    assert Job.objects.waiting().get().schedule_id == late.schedule_id


def requeued_without_its_slot():
    job = Plain.enqueue_once(instance=Thing.objects.create(), interval=5)
    held = take(job)
    beside_a_locked_schedule(lambda: requeue.requeue(held, 0))
    assert PendingChange.objects.get().values == {requeue.SLOT: True}
    return job


def test_p4_the_end_of_a_requeued_job_is_not_forgotten_by_who_gives_it_its_slot(monkeypatch):
    job = requeued_without_its_slot()
    # Who gives the slot has the lock of the schedule, so the end leaves its part.
    once_meanwhile(monkeypatch, chains, 'take_slot', lambda: take(job).terminate())
    chains.make_pending_changes(lambda: None)
    assert (status(job), PendingChange.objects.get().values) == ('completed', {successor.ENDED: True})
    settled()
    assert Schedule.objects.get().runs == 1
    assert Job.objects.waiting().get().schedule_id == job.schedule_id


def test_p1_a_second_outcome_is_not_deleted_with_the_first(monkeypatch):
    job = requeued_without_its_slot()
    PendingChange.leave(job, {record.left.OUTCOME: '{}'}, 'default')
    told, original = [], record._record

    def leave():
        PendingChange.leave(job, {'more': 1}, 'default')
        connections.close_all()

    def _record(*args):
        assert in_threads(1, lambda _n: told.append(record.record(job.pk, 'default'))) == []
        thread.start()
        return original(*args) if args[1] else False

    thread = threading.Thread(target=leave)
    monkeypatch.setattr(record, '_record', _record)
    with ExitStack() as stack:
        stack.callback(lambda: thread.join(60))
        assert record.record(job.pk, 'default') is None
    assert told == [False]  # locked
    wait_for(lambda: 'more' in PendingChange.objects.get().values)
    assert record.left.OUTCOME not in PendingChange.objects.get().values


def test_a_run_whose_schedule_was_suspended_before_it_ended_is_counted_once():
    job = Plain.enqueue_once(instance=Thing.objects.create(), interval=5)
    held = take(job)
    beside_a_locked_schedule(lambda: successor.suspend(held, 'refused'))
    held.terminate()
    settled()
    assert (Schedule.objects.get().runs, Schedule.objects.get().suspended) == (1, 'refused')

"""P4 beside transactions of others that take long: the end of a job does not wait for them."""

import threading
import time
from contextlib import contextmanager

import pytest
from django.db import connections, transaction

from netbox_jobs.lifecycle import claim
from netbox_jobs.maintenance import recovery
from netbox_jobs.models import Job, Schedule
from tests.app.jobs import Plain
from tests.app.models import Thing
from tests.processes import status, wait_for

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def long_transaction(act):
    """`act()` in a transaction of another session that stays open during the block."""
    begun, over = threading.Event(), threading.Event()

    def hold():
        try:
            with transaction.atomic():
                act()
                begun.set()
                over.wait(60)
        finally:
            begun.set()
            connections.close_all()

    thread = threading.Thread(target=hold)
    thread.start()
    assert begun.wait(30)
    try:
        yield
    finally:
        over.set()
        thread.join(30)


ACTIONS = {
    'enqueue_once, unchanged': lambda thing, schedule: Plain.enqueue_once(instance=thing),
    'enqueue_once, changed': lambda thing, schedule: Plain.enqueue_once(instance=thing, interval=7, a=1),
    'pause': lambda thing, schedule: schedule.pause(),
    'change': lambda thing, schedule: schedule.change(interval=9),
    'run_now': lambda thing, schedule: schedule.run_now(),
}


@pytest.mark.parametrize('name', ACTIONS)
@pytest.mark.parametrize('raises', [False, True])
def test_the_end_of_a_job_does_not_wait_for_a_long_view_and_its_successor_comes_after_it(name, raises):
    thing = Thing.objects.create()
    first = Plain.enqueue_once(instance=thing, interval=5)
    running = claim.claim(str(first.job_id), 'worker', 'default')
    with long_transaction(lambda: ACTIONS[name](thing, Schedule.objects.get())):
        begun = time.monotonic()
        running.terminate('errored' if raises else 'completed', error='x' if raises else None)
        assert time.monotonic() - begun < 10
        assert status(first) == ('errored' if raises else 'completed')
        recovery.settle_dependents()  # does not wait either
        assert time.monotonic() - begun < 15
    recovery.settle_dependents()
    assert recovery.settle_dependents() == 0
    waiting = Job.objects.waiting().get()
    expected = {'enqueue_once, changed': 7, 'change': 9}.get(name, 5)
    assert (waiting.interval, waiting.slot, waiting.object) == (expected, first.schedule_id, thing)
    assert Schedule.objects.get().paused == (name == 'pause')


def test_a_schedule_that_a_long_view_has_ended_is_not_continued():
    first = Plain.enqueue_once(interval=5)
    running = claim.claim(str(first.job_id), 'worker', 'default')
    with long_transaction(lambda: Schedule.objects.get().end()):
        running.terminate()
    recovery.settle_dependents()
    assert not Job.objects.waiting().exists()


def test_a_schedule_that_recurs_no_more_or_is_suspended_is_not_continued():
    ended = Plain.enqueue_once(interval=5)
    running = claim.claim(str(ended.job_id), 'worker', 'default')
    running.interval = None
    running.terminate()
    once = Plain.enqueue_once(instance=Thing.objects.create())
    claim.claim(str(once.job_id), 'worker', 'default').terminate()
    Plain.enqueue(interval=5)
    Job.objects.waiting().update(arguments_signature='no')
    refused = Job.objects.waiting().get()
    claim.claim(str(refused.job_id), 'worker', 'default').terminate()
    recovery.settle_dependents()
    assert not Job.objects.waiting().exists()


@pytest.mark.process
def test_a_worker_goes_on_while_a_view_holds_the_schedule_of_its_job(start_worker):
    thing = Thing.objects.create()
    first = Plain.enqueue_once(instance=thing, interval=5)
    with long_transaction(lambda: Schedule.objects.filter(pk=first.schedule_id).update(name='held')):
        start_worker('default')
        wait_for(lambda: status(first) == 'completed', 60)
        other = Plain.enqueue()
        wait_for(lambda: status(other) == 'completed', 30)
    wait_for(lambda: Job.objects.filter(predecessor_id=first.pk).exists(), 30, 'the successor')

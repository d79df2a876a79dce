"""P4 beside transactions of others that take long: the end of a job does not wait for them."""

import pytest

from netbox_jobs.execution.entry import run_delivered
from netbox_jobs.lifecycle import claim
from netbox_jobs.maintenance import recovery, slots
from netbox_jobs.models import Job, LimitRow, PendingChange, Schedule
from tests import nursery
from tests.app.jobs import Plain
from tests.app.limited import OfTenant
from tests.app.models import Thing
from tests.processes import environment, status, wait_for
from tests.renaming import rename
from tests.sessions import elsewhere

pytestmark = pytest.mark.django_db(transaction=True)


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
    with elsewhere(lambda: ACTIONS[name](thing, Schedule.objects.get())):
        running.terminate('errored' if raises else 'completed', error='x' if raises else None)
        assert status(first) == ('errored' if raises else 'completed')
        recovery.settle_dependents()  # does not wait either
    recovery.settle_dependents()
    assert recovery.settle_dependents() == 0
    assert not PendingChange.objects.exists()
    waiting = Job.objects.waiting().get()
    expected = {'enqueue_once, changed': 7, 'change': 9}.get(name, 5)
    assert (waiting.interval, waiting.slot, waiting.object) == (expected, first.schedule_id, thing)
    schedule = Schedule.objects.get()
    assert (schedule.paused, schedule.runs) == (name == 'pause', 1)


@pytest.mark.parametrize('interval', [3, None])
@pytest.mark.parametrize('before', [5, None])
def test_p4_an_interval_that_run_has_set_counts_although_the_schedule_was_locked_at_its_end(before, interval):
    first = Plain.enqueue_once(interval=before)
    running = claim.claim(str(first.job_id), 'worker', 'default')
    running.interval = interval
    with elsewhere(lambda: Schedule.objects.get().pause()):
        running.terminate()
        assert status(first) == 'completed'
    recovery.settle_dependents()
    assert [job.interval for job in Job.objects.waiting()] == ([interval] if interval else [])
    schedule = Schedule.objects.get()
    assert (schedule.interval, schedule.runs) == (interval, 1)


def test_why_a_chain_was_suspended_is_recorded_although_the_schedule_was_locked(settings):
    settings.NETBOX_JOBS = {'RUNNER_GRACE': 0}
    first = Plain.enqueue_once(interval=5)
    rename(first, 'tests.app.gone.Runner')
    with elsewhere(lambda: Schedule.objects.update(name='held')):
        run_delivered(str(first.job_id))
        assert status(first) == 'errored'
    recovery.settle_dependents()
    assert 'tests.app.gone' in Schedule.objects.get().suspended
    assert not Job.objects.waiting().exists()


def test_a_schedule_that_a_long_view_has_ended_is_not_continued():
    first = Plain.enqueue_once(interval=5)
    running = claim.claim(str(first.job_id), 'worker', 'default')
    with elsewhere(lambda: Schedule.objects.get().end()):
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
    with elsewhere(lambda: Schedule.objects.filter(pk=first.schedule_id).update(name='held')):
        start_worker('default')
        wait_for(lambda: status(first) == 'completed', 60)
        other = Plain.enqueue()
        wait_for(lambda: status(other) == 'completed')
    wait_for(lambda: Job.objects.filter(predecessor_id=first.pk).exists(), 60, 'the successor')


@pytest.mark.process
def test_p4_a_worker_that_is_killed_between_the_end_and_the_successor_breaks_no_chain(start_worker):
    first = Plain.enqueue_once(instance=Thing.objects.create(), interval=5)
    with elsewhere(lambda: Schedule.objects.filter(pk=first.schedule_id).update(name='held')):
        worker = start_worker('default')
        wait_for(lambda: status(first) == 'completed', 60)
        worker.kill()
        assert PendingChange.objects.get().job_id == first.pk
    assert not Plain.get_jobs().waiting().exists()
    start_worker('default')
    wait_for(lambda: Job.objects.filter(predecessor_id=first.pk).exists(), 60, 'the successor')
    assert Plain.get_jobs().waiting().get().slot == first.schedule_id
    wait_for(lambda: not PendingChange.objects.exists(), 60, 'the end of the change')


@pytest.mark.process
def test_p1_a_late_job_joins_its_schedule_although_its_process_died_after_the_commit(start_worker):
    thing = Thing.objects.create()
    with elsewhere(lambda: Plain.enqueue_once(instance=thing, interval=7)):
        died = nursery.run(['-c', DIES], environment())
        assert died.returncode == 9
    assert PendingChange.objects.count() == 1
    start_worker('low')
    wait_for(lambda: not PendingChange.objects.exists(), 60, 'the end of the change')
    assert Plain.get_jobs().waiting().get().interval == 5


DIES = """
import os, django; django.setup()
from django.db import transaction
from tests.app.jobs import Plain
from tests.app.models import Thing
with transaction.atomic():
    transaction.on_commit(lambda: os._exit(9))
    Plain.enqueue_once(instance=Thing.objects.get(), interval=5)
"""


def test_p10_a_limit_that_a_suspended_process_keeps_locked_holds_up_no_worker_and_is_used_afterwards():
    first, second = OfTenant.enqueue(), OfTenant.enqueue()
    running = claim.claim(str(first.job_id), 'worker', 'default')
    with elsewhere(lambda: LimitRow.objects.select_for_update().get(name__contains='OfTenant')):
        running.terminate()
        assert (status(first), status(second)) == ('completed', 'scheduled')
        assert slots.give_slots() == 0
        third = OfTenant.enqueue()
        assert status(third) == 'scheduled'
    assert slots.give_slots() == 1
    assert (status(second), status(third)) == ('pending', 'scheduled')

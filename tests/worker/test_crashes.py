"""Processes die; rows tell the truth."""

import os
import signal
import time
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from netbox_jobs.broker import delivery
from netbox_jobs.models import Job, JobLogEntry, Worker
from tests.app import faults
from tests.app.jobs import (
    Dying,
    DyingAgain,
    Plain,
    Sleeping,
)
from tests.processes import cut_sessions, is_alive, status, wait_for
from tests.worker.traces import started

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.process]


CAUSES = {
    'kill': 'killed by signal 9 (SIGKILL)',
    'segv': 'killed by signal 11 (SIGSEGV)',
    'exit': 'ended with exit code 7',
}


@pytest.mark.parametrize(
    'how', ['kill', *(pytest.param(how, marks=pytest.mark.once) for how in CAUSES if how != 'kill')]
)
def test_p1_the_job_of_a_killed_child_is_errored_and_its_successor_made(start_worker, how):
    start_worker()
    job = Dying.enqueue(interval=10, how=how)
    wait_for(lambda: started(job))
    wait_for(lambda: status(job) == 'errored')
    assert CAUSES[how] in job.error
    assert [s.predecessor_id for s in Dying.get_jobs().exclude(pk=job.pk)] == [job.pk]
    assert Dying.get_jobs().waiting().get().interval == 10


def test_p1_a_killed_worker_is_found_by_another(start_worker):
    first = start_worker(TEST_NETBOX_JOBS_WORKER_TIMEOUT='6')
    job = Sleeping.enqueue(interval=10)
    wait_for(lambda: started(job))
    second = start_worker(TEST_NETBOX_JOBS_WORKER_TIMEOUT='6')
    wait_for(lambda: Worker.objects.count() == 2)
    first.kill()
    wait_for(lambda: status(job) == 'errored', 60)
    assert 'no sign of life' in job.error and str(first.pid) in job.error
    assert Sleeping.get_jobs().waiting().count() == 1
    assert wait_for(lambda: Worker.objects.count() == 1)
    assert 'is gone' in second.output


@pytest.mark.timeout(400)
def test_p1_with_the_settings_as_they_come_a_dead_host_is_found_within_90_seconds(start_worker):
    """And meanwhile, the database's sessions are cut: also those of the one who watches."""
    first = start_worker()
    job = Sleeping.enqueue_once(interval=10)
    wait_for(lambda: started(job))
    second = start_worker()
    wait_for(lambda: Worker.objects.filter(pid=second.pid, beats__gt=0).exists())
    first.kill()
    died = time.monotonic()
    # It cannot be known yet that it is dead; nothing new comes of asking for it once more.
    assert Sleeping.enqueue_once(interval=10).pk == job.pk
    wait_for(lambda: time.monotonic() > died + 30)
    cut_sessions()
    # 90 seconds, unless this machine is busy.
    wait_for(lambda: status(job) == 'errored', 150, second.output[-2000:])
    assert 'no sign of life for 60 seconds' in job.error
    assert Sleeping.enqueue_once(interval=10).predecessor_id == job.pk
    assert Sleeping.get_jobs().waiting().count() == 1


def test_p1_killed_between_the_pop_and_the_claim_a_job_is_delivered_again_within_60_seconds(start_worker, tmp_path):
    (tmp_path / 'kill-worker-before-claim').touch()
    job = Plain.enqueue()  # before a system job that the worker schedules as it starts
    first = start_worker(TEST_CHAOS=str(tmp_path))
    first.process.wait(60)
    assert not (tmp_path / 'kill-worker-before-claim').exists()
    assert str(job.job_id) not in delivery.queue('default').job_ids
    assert status(job) == 'pending'
    start_worker()
    wait_for(lambda: status(job) == 'completed', 60)
    assert started(job) == 1


@pytest.mark.once
def test_p1_a_worker_killed_and_started_again_at_once_has_due_jobs_start_within_5_seconds(start_worker):
    delivery.queue('default').enqueue_in(timedelta(hours=1), os.getpid)  # so that RQ's scheduler is needed
    first = start_worker()
    job = Sleeping.enqueue()
    wait_for(lambda: started(job))
    first.kill()
    # Several, as a busy machine may delay one.
    due = [Plain.enqueue(schedule_at=timezone.now() + timedelta(seconds=seconds)) for seconds in (6, 12, 18, 24)]
    start_worker()
    locks = delivery.queue('default').connection.keys('rq:scheduler-lock:*')
    assert locks, "the dead worker's lock on RQ's scheduler stands"
    late = []
    for job in due:
        wait_for(lambda job=job: status(job) == 'completed')
        late.append(job.started - job.scheduled)
        if late[-1] < timedelta(seconds=5):
            break
    assert timedelta() <= min(late) < timedelta(seconds=5)
    assert delivery.queue('default').connection.exists(*locks)


def test_the_outcome_is_recorded_although_the_database_has_cut_every_session(start_worker, tmp_path):
    worker = start_worker()
    go = tmp_path / 'go'
    job = Sleeping.enqueue(until=str(go), interval=10)
    wait_for(lambda: started(job))
    cut_sessions()
    go.touch()
    # What run() itself wrote on its connection may have failed; the end has not.
    wait_for(lambda: status(job) in ('completed', 'errored'), 60, worker.output[-2000:])
    assert Sleeping.get_jobs().waiting().get().predecessor_id == job.pk
    after = Plain.enqueue()
    wait_for(lambda: status(after) == 'completed')
    assert worker.process.poll() is None


def test_p3_a_suspended_worker_that_wakes_up_changes_nothing(start_worker, tmp_path):
    go = tmp_path / 'go'
    first = start_worker(TEST_NETBOX_JOBS_WORKER_TIMEOUT='6')
    job = Sleeping.enqueue(interval=10, until=str(go))
    wait_for(lambda: started(job))
    start_worker(TEST_NETBOX_JOBS_WORKER_TIMEOUT='6')
    wait_for(lambda: Worker.objects.count() == 2)
    stopped = [first.pid, *first.horses()]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: status(job) == 'errored', 60)
    ended = job.completed
    go.touch()
    for pid in stopped:
        os.kill(pid, signal.SIGCONT)
    wait_for(lambda: 'was not recorded' in first.output or 'claim of this job is lost' in first.output)
    wait_for(lambda: not any(map(is_alive, stopped[1:])))
    assert (status(job), job.completed) == ('errored', ended)
    assert Sleeping.get_jobs().exclude(pk=job.pk).count() == 1


def test_p3_a_job_that_has_lost_its_claim_ends_itself_within_10_seconds(start_worker):
    worker = start_worker()
    job = Sleeping.enqueue()
    wait_for(lambda: started(job))
    horse = worker.horses()[0]
    # As another has recorded it meanwhile, who took its worker for dead.
    Job.objects.filter(pk=job.pk).update(status='errored', worker=None)
    wait_for(lambda: not is_alive(horse), 40, worker.output[-2000:])
    assert status(job) == 'errored'
    after = Plain.enqueue()
    wait_for(lambda: status(after) == 'completed')


@pytest.mark.once
def test_a_worker_that_is_killed_takes_its_child_along(start_worker):
    worker = start_worker()
    job = Sleeping.enqueue()
    wait_for(lambda: started(job))
    horse = worker.horses()[0]
    os.kill(worker.pid, signal.SIGKILL)
    worker.process.wait(60)
    wait_for(lambda: not is_alive(horse), 40)


@pytest.mark.once
def test_a_second_sigterm_ends_a_job_at_once_and_it_is_errored(start_worker):
    worker = start_worker()
    job = Sleeping.enqueue()
    wait_for(lambda: started(job))
    worker.end_impatiently()
    assert status(job) == 'errored'
    assert 'SIGKILL' in job.error


def test_a_crashing_runner_that_asks_for_it_is_run_again_until_its_maximum(start_worker):
    start_worker()
    job = DyingAgain.enqueue()
    wait_for(lambda: status(job) == 'errored')
    assert started(job) == 3
    assert (job.attempt, job.crashes) == (3, 2)
    assert 'It has crashed 3 times' in job.error
    assert JobLogEntry.objects.filter(job_id=job.pk, level='error').count() == 3


def test_p1_a_delivery_that_rq_has_lost_is_made_good(start_worker):
    """As when a worker dies between taking the id from RQ and the claim."""
    job = Plain.enqueue()
    delivery.queue('default').empty()
    Job.objects.filter(pk=job.pk).update(due=job.due - 20_000)
    start_worker()
    wait_for(lambda: status(job) == 'completed')
    assert job.deliveries == 2
    assert started(job) == 1


def test_p2_a_second_delivery_of_the_same_job_is_a_no_op(start_worker):
    job = Plain.enqueue()
    queue = delivery.queue('default')
    for number in range(5):
        queue.enqueue_call(delivery.ENTRY, args=(str(job.job_id),), job_id=f'again-{number}')
    start_worker('--burst').process.wait(60)
    assert status(job) == 'completed'
    assert started(job) == 1


def test_p4_the_database_allows_one_successor_and_one_waiting_job():
    job = Plain.enqueue(interval=10)
    successor = Job.objects.create(name='next', predecessor=job)
    with pytest.raises(IntegrityError), transaction.atomic():
        Job.objects.create(name='another', predecessor=job)
    with pytest.raises(IntegrityError), transaction.atomic():
        Job.objects.create(name='another', slot=job.slot)
    assert list(Job.objects.filter(predecessor=job)) == [successor]


@pytest.mark.parametrize('where', faults.STEPS)
def test_p4_killed_between_any_two_steps_there_is_one_successor(start_worker, where):
    start_worker(TEST_KILL_AT=where)
    job = Plain.enqueue(interval=10)
    wait_for(lambda: status(job) in ('completed', 'errored'))
    assert status(job) == ('completed' if where == 'after it' else 'errored')
    assert [s.predecessor_id for s in Plain.get_jobs().exclude(pk=job.pk)] == [job.pk]
    assert Plain.get_jobs().waiting().count() == 1


def test_recovery_waits_for_no_lock_and_ends_the_session_that_holds_it(start_worker):
    if connection.vendor == 'sqlite':
        assert not connection.features.has_select_for_update  # there are no row locks that a dead session could hold
        return
    worker = start_worker(TEST_NETBOX_JOBS_WORKER_TIMEOUT='6')
    from tests.app.jobs import Locking

    job = Locking.enqueue()
    wait_for(lambda: started(job))
    # Its process is suspended with its row locked: its session stays open, as that of a vanished host does.
    start_worker(TEST_NETBOX_JOBS_WORKER_TIMEOUT='6')
    wait_for(lambda: Worker.objects.count() == 2)
    for pid in (worker.pid, *worker.horses()):
        os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: status(job) == 'errored', 90)
    assert 'no sign of life' in job.error

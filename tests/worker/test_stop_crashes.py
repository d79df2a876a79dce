"""Stopped, canceled, retried and paused jobs, while processes and Redis die around them."""

import os
import signal

import pytest
from django.test import override_settings
from django.utils import timezone

from netbox_jobs.broker import delivery
from netbox_jobs.core import clock
from netbox_jobs.lifecycle import finish
from netbox_jobs.models import Job, PausedQueue, Worker
from tests.app import faults
from tests.app.jobs import Dying, Lingering, Plain, Sleeping, WorkingRetriedAgain
from tests.app.models import Trace
from tests.processes import RedisProcess, status, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.process]

SOON = {'TEST_NETBOX_JOBS_WORKER_TIMEOUT': '6'}


def traces(job, what='start'):
    return Trace.objects.filter(job_pk=job.pk, what=what).count()


def running(runner, **arguments):
    job = runner.enqueue(**arguments)
    wait_for(lambda: traces(job))
    return job


@pytest.fixture
def redis():
    server = RedisProcess()
    with override_settings(RQ_QUEUES={'default': {'URL': server.url, 'DEFAULT_TIMEOUT': 60}}):
        yield server
    server.kill()


# Stop


def test_p7_a_stop_reaches_a_job_while_redis_is_down(redis, start_worker):
    worker = start_worker(TEST_REDIS_URL=redis.url)
    job = running(Sleeping, interval=10)
    redis.kill()
    assert job.stop()
    wait_for(lambda: status(job) == 'canceled')
    assert Sleeping.get_jobs().waiting().get().predecessor_id == job.pk
    redis.start()
    after = Plain.enqueue()
    wait_for(lambda: status(after) == 'completed', 60, worker.output[-2000:])


def test_p7_a_stop_reaches_a_job_although_who_asked_for_it_died_right_after_the_commit(start_worker):
    start_worker()
    job = running(Sleeping)
    # All that is left of such a `stop()` is its mark in the row.
    assert Job.objects.running().filter(pk=job.pk).update(stopping=timezone.now())
    wait_for(lambda: status(job) == 'canceled')
    assert job.error == finish.STOPPED


def test_p7_a_stop_reaches_a_job_that_came_by_a_second_delivery(start_worker):
    job = Lingering.enqueue(heed=True)
    queue = delivery.queue('default')
    queue.empty()
    queue.enqueue_call(delivery.ENTRY, args=(str(job.job_id),), job_id=f'{job.job_id}-again')
    worker = start_worker()
    wait_for(lambda: traces(job))
    assert job.stop()
    wait_for(lambda: status(job) == 'canceled', 60, worker.output[-2000:])
    assert traces(job, 'heard') == 1


def test_p7_a_worker_that_dies_while_a_stopped_job_has_its_grace_leaves_it_canceled(start_worker):
    first = start_worker(**SOON)
    job = running(Lingering, interval=10)
    start_worker(**SOON)
    wait_for(lambda: Worker.objects.count() == 2)
    assert job.stop()
    wait_for(lambda: traces(job, 'heard'))
    assert status(job) == 'running'
    first.kill()
    wait_for(lambda: status(job) == 'canceled', 60)
    assert Lingering.get_jobs().waiting().get().predecessor_id == job.pk


def test_p7_a_horse_that_dies_while_a_stopped_job_has_its_grace_leaves_it_canceled(start_worker):
    worker = start_worker()
    job = running(Lingering, interval=10)
    assert job.stop()
    wait_for(lambda: traces(job, 'heard'))
    os.kill(worker.horses()[0], signal.SIGKILL)
    wait_for(lambda: status(job) == 'canceled')
    assert Lingering.get_jobs().waiting().get().predecessor_id == job.pk


@pytest.mark.once
def test_a_stop_that_was_heeded_is_no_matter_of_the_next_job(start_worker):
    worker = start_worker()
    heeding = running(Lingering, heed=True)
    assert heeding.stop()
    wait_for(lambda: status(heeding) == 'canceled')
    job = running(Lingering)
    worker.end_impatiently()
    assert status(job) == 'errored'
    assert 'SIGKILL' in job.error
    assert not traces(job, 'heard')


# Retry


@pytest.mark.parametrize('step', faults.RELEASE_STEPS)
def test_killed_at_any_step_of_the_return_no_attempt_is_lost_or_counted_twice(start_worker, step):
    start_worker()
    job = WorkingRetriedAgain.enqueue(how=step, fails=2, interval=10)
    wait_for(lambda: status(job) == 'completed')
    crashes = int(step != 'after it is given back')
    assert (job.attempt, job.crashes, job.retries) == (3 + crashes, crashes, 2)
    assert traces(job) == job.attempt
    assert [attempt.number for attempt in job.attempts.all()] == list(range(1, job.attempt))
    assert sum(attempt.crashed for attempt in job.attempts.all()) == crashes
    assert WorkingRetriedAgain.get_jobs().waiting().get().predecessor_id == job.pk


# Pause


def test_a_paused_queue_outlives_its_worker_and_the_loss_of_redis(redis, start_worker):
    first = start_worker('default', TEST_REDIS_URL=redis.url)
    wait_for(lambda: Worker.objects.exists())
    PausedQueue.objects.create(name='default')
    jobs = [Plain.enqueue() for _ in range(3)]
    # The worker takes the ids from RQ, and leaves the jobs.
    wait_for(lambda: not delivery.queue('default').job_ids and {status(job) for job in jobs} == {'scheduled'})
    first.kill()
    redis.kill()
    redis.start()
    start_worker('default', TEST_REDIS_URL=redis.url)
    other = Plain.enqueue(queue_name='default')
    wait_for(lambda: Worker.objects.filter(beats__gt=1).exists())
    assert {status(job) for job in (*jobs, other)} <= {'pending', 'scheduled'}
    PausedQueue.objects.filter(name='default').delete()
    for job in (*jobs, other):
        wait_for(lambda job=job: status(job) == 'completed')
        assert traces(job) == 1


def test_a_paused_schedule_stays_paused_whatever_dies(redis, start_worker):
    worker = start_worker(TEST_REDIS_URL=redis.url)
    job = running(Sleeping, interval=10)
    assert job.schedule.pause()
    os.kill(worker.horses()[0], signal.SIGKILL)
    wait_for(lambda: status(job) == 'errored')
    following = Sleeping.get_jobs().waiting().get()
    assert following.predecessor_id == job.pk
    Job.objects.filter(pk=following.pk).update(due=clock.now_ms())
    worker.kill()
    redis.kill()
    redis.start()
    start_worker(TEST_REDIS_URL=redis.url)
    wait_for(lambda: Worker.objects.filter(beats__gt=1).exists())
    assert status(following) == 'scheduled'
    assert job.schedule.resume()
    wait_for(lambda: traces(following))
    following.stop()


def test_a_job_that_crashes_while_its_queue_is_paused_has_its_successor_after_that(start_worker):
    start_worker()
    PausedQueue.objects.create(name='default')
    dying, held = Dying.enqueue(queue_name='low', interval=10), Plain.enqueue()
    wait_for(lambda: status(dying) == 'errored')
    Job.objects.filter(predecessor=dying).update(queue_name='default', due=clock.now_ms())
    assert Dying.get_jobs().waiting().get().status == 'scheduled'
    PausedQueue.objects.all().delete()
    wait_for(lambda: status(held) == 'completed')
    wait_for(lambda: Dying.get_jobs().filter(predecessor=dying).ended().exists())

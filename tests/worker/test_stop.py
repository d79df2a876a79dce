"""P6, P7: jobs are watched, stopped and retried while real workers run them."""

import itertools
import os
import signal
import time

import pytest
from rq.command import send_stop_job_command

from netbox_jobs.broker import delivery
from netbox_jobs.models import Job, JobLogEntry, PausedQueue, Progress, Schedule, Worker
from tests.app.jobs import (
    Asynchronous,
    Chatty,
    Counting,
    Flaky,
    Orderly,
    Plain,
    Sleeping,
    Spawning,
    Stuck,
)
from tests.app.models import Trace
from tests.processes import RedisProcess, is_alive, status, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.process]


def traced(job, what):
    return Trace.objects.filter(job_pk=job.pk, what=what).count()


def running(job):
    """Wait until `run()` has begun."""
    return wait_for(lambda: traced(job, 'start') or status(job) not in ('pending', 'running'))


def ended(job, seconds=60):
    wait_for(lambda: Job.objects.get(pk=job.pk).ended, seconds)
    return status(job)


# stop


@pytest.mark.once
def test_p7_a_job_is_stopped_with_the_processes_that_it_has_started(start_worker):
    worker = start_worker()
    job = Spawning.enqueue()
    child = wait_for(lambda: (Job.objects.get(pk=job.pk).data or {}).get('pid'))
    assert is_alive(child)
    assert job.stop() is True
    assert ended(job) == 'canceled'
    assert job.error == 'It was stopped while it ran.'
    wait_for(lambda: not is_alive(child), 40)
    assert_works_on(worker)


@pytest.mark.once
def test_p7_a_job_that_is_stuck_in_c_code_is_stopped_when_its_grace_is_over(start_worker):
    worker = start_worker()
    job = Stuck.enqueue()
    running(job)
    assert job.stop() is True
    assert ended(job) == 'canceled'
    assert_works_on(worker)


@pytest.mark.once
def test_p7_a_stopped_job_may_end_in_order_within_its_grace(start_worker):
    worker = start_worker()
    job = Orderly.enqueue()
    running(job)
    job.stop()
    assert ended(job) == 'canceled'
    assert traced(job, 'cleaned') == 1
    assert_works_on(worker)


@pytest.mark.once
def test_p7_a_coroutine_is_canceled_and_cleans_up(start_worker):
    start_worker()
    job = Asynchronous.enqueue(seconds=60)
    running(job)
    job.stop()
    assert ended(job) == 'canceled'
    assert traced(job, 'cleaned') == 1


@pytest.mark.parametrize('runner', [Sleeping, Stuck])
def test_p7_a_job_is_stopped_also_where_redis_cannot_tell_its_worker(start_worker, settings, runner):
    redis = RedisProcess()
    try:
        settings.RQ_QUEUES = {'default': {'URL': redis.url}}
        start_worker(TEST_REDIS_URL=redis.url)
        job = runner.enqueue()
        running(job)
        redis.kill()
        assert job.stop() is True
        assert ended(job) == 'canceled'
    finally:
        redis.kill()


@pytest.mark.once
def test_rqs_own_stop_command_is_a_stop_too(start_worker):
    worker = start_worker()
    job = Sleeping.enqueue()
    running(job)
    queue = delivery.queue('default')
    wait_for(lambda: queue.fetch_job(str(job.job_id)).worker_name)  # a moment after it has begun
    send_stop_job_command(queue.connection, str(job.job_id), serializer=queue.serializer)
    assert ended(job) == 'canceled'
    assert_works_on(worker)


def test_a_stopped_periodic_job_has_one_successor(start_worker):
    start_worker()
    job = Sleeping.enqueue_once(interval=60)
    running(job)
    job.stop()
    assert ended(job) == 'canceled'
    assert Job.objects.filter(predecessor=job, status='scheduled').count() == 1


def test_a_worker_that_dies_during_the_grace_leaves_a_canceled_job(start_worker):
    start_worker(TEST_NETBOX_JOBS_WORKER_TIMEOUT='6')
    other = start_worker('low', TEST_NETBOX_JOBS_WORKER_TIMEOUT='6')
    wait_for(lambda: Worker.objects.count() == 2)
    job = Sleeping.enqueue()
    running(job)
    token = Job.objects.values_list('worker', flat=True).get(pk=job.pk)
    # The mark on the row is what counts; the worker is killed before it hears of it.
    Job.objects.filter(pk=job.pk).update(stopping=job.created)
    os.kill(Worker.objects.get(token=token).pid, signal.SIGKILL)
    assert ended(job) == 'canceled', other.output


# watch


def test_p6_progress_is_seen_while_the_job_runs(start_worker, tmp_path):
    start_worker()
    go = tmp_path / 'go'
    job = Counting.enqueue(total=5, until=str(go))
    wait_for(lambda: Progress.objects.filter(job_id=job.pk, current=5, total=5, message='counting').exists())
    assert status(job) == 'running'
    wait_for(lambda: JobLogEntry.objects.filter(job_id=job.pk).count() == 5)
    go.touch()
    assert ended(job) == 'completed'
    assert job.progress.percent == 100


@pytest.mark.once
def test_p6_a_hundred_thousand_lines_keep_memory_flat(start_worker):
    worker = start_worker()
    job = Chatty.enqueue(lines=100_000)
    assert ended(job, 150) == 'completed', worker.output
    assert JobLogEntry.objects.filter(job_id=job.pk).count() == 100_000
    assert job.data['grown'] < 40_000, 'kilobytes between the first ten thousand lines and the last'


# retries


@pytest.mark.once
def test_a_job_is_retried_in_steps_of_a_second(start_worker):
    start_worker()
    job = Flaky.enqueue(failures=2, retry_backoff=[1, 1])
    assert ended(job) == 'completed'
    starts = list(Trace.objects.filter(job_pk=job.pk, what='start').order_by('at').values_list('at', flat=True))
    assert [(later - earlier).total_seconds() >= 1 for earlier, later in itertools.pairwise(starts)] == [
        True, True,
    ]  # fmt: skip
    assert (job.attempt, job.retries) == (3, 2)


# pause


def test_a_paused_schedule_survives_the_restart_of_its_worker(start_worker):
    start_worker('--burst').process.wait(60)
    schedule = Schedule.objects.get(runner__endswith='.Housekeeping')
    wait_for(lambda: schedule.jobs.filter(status='completed').exists())
    schedule.pause()
    schedule.jobs.filter(status='scheduled').update(due=int(time.time() * 1000))
    worker = start_worker()
    job = Plain.enqueue()
    assert ended(job) == 'completed'
    assert_works_on(worker)
    assert Schedule.objects.get(pk=schedule.pk).paused is True
    assert schedule.jobs.filter(status='scheduled').count() == 1
    assert schedule.jobs.exclude(status='scheduled').count() == 1
    schedule.resume()
    wait_for(lambda: schedule.jobs.filter(status='completed').count() == 2)


@pytest.mark.once
def test_a_paused_queue_is_left_alone_and_survives_the_loss_of_redis(start_worker):
    PausedQueue.pause('low')
    worker = start_worker()
    job = Plain.enqueue(queue_name='low')
    assert_works_on(worker)
    delivery.queue('low').connection.flushdb()
    assert_works_on(worker)
    assert status(job) in ('pending', 'scheduled')
    PausedQueue.resume('low')
    assert ended(job) == 'completed'


def assert_works_on(worker):
    """The worker lives, and runs the next job."""
    job = Plain.enqueue()
    assert ended(job) == 'completed', worker.output
    assert worker.process.poll() is None

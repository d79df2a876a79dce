"""P1 with a Redis that goes away: one that the test starts itself, so that it may kill it."""

import socket
from contextlib import ExitStack
from datetime import timedelta

import pytest
from django.test import override_settings
from django.utils import timezone
from rq import Worker as RQWorker

from netbox_jobs.broker import delivery
from netbox_jobs.models import Job
from netbox_jobs.models import Worker as LiveWorker
from tests.app.jobs import Plain, Sleeping
from tests.app.models import Trace
from tests.broker.quick import connects, is_quick
from tests.processes import RedisProcess, status, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.process]


@pytest.fixture
def redis():
    server = RedisProcess()
    with override_settings(RQ_QUEUES={'default': {'URL': server.url, 'DEFAULT_TIMEOUT': 60}}):
        yield server
    server.kill()


def test_p1_emptied_with_jobs_pending_scheduled_and_running(redis, start_worker, tmp_path):
    go = tmp_path / 'go'
    worker = start_worker(TEST_REDIS_URL=redis.url)
    running = Sleeping.enqueue(until=str(go), interval=10)
    wait_for(lambda: Trace.objects.filter(job_pk=running.pk).exists())
    pending = [Plain.enqueue() for _ in range(5)]
    scheduled = Plain.enqueue(schedule_at=timezone.now() + timedelta(seconds=8))
    redis.kill()
    redis.start()
    go.touch()
    for job in (running, *pending, scheduled):
        wait_for(lambda job=job: status(job) == 'completed', 60, f'{job} {job.status}\n{worker.output[-2000:]}')
    assert scheduled.started >= scheduled.scheduled
    assert Trace.objects.filter(what='start', job_pk__in=[job.pk for job in pending]).count() == 5
    assert Sleeping.get_jobs().waiting().get().predecessor_id == running.pk
    assert worker.process.poll() is None


@pytest.mark.once
def test_p1_down_when_enqueue_commits_it_is_delivered_after_the_return(redis, start_worker):
    worker = start_worker(TEST_REDIS_URL=redis.url)
    first = Plain.enqueue()
    wait_for(lambda: status(first) == 'completed')
    redis.kill()
    jobs = []
    assert is_quick(lambda: jobs.append(Plain.enqueue()))
    redis.start()
    for job in jobs:
        wait_for(lambda job=job: status(job) == 'completed', 60, f'the delivery\n{worker.output[-2000:]}')
        assert Trace.objects.filter(job_pk=job.pk, what='start').count() == 1


@pytest.mark.once
@override_settings(NETBOX_JOBS={})  # with the time limit of users
def test_p1_silent_it_does_not_hold_up_enqueue(redis, monkeypatch):
    Plain.enqueue()
    redis.suspend()
    jobs = []
    try:
        assert is_quick(lambda: jobs.append(Plain.enqueue()))
        alone = connects(lambda: jobs.append(Plain.enqueue()), monkeypatch)
        assert connects(lambda: jobs.extend(Plain.enqueue() for _ in range(5)), monkeypatch) == alone
    finally:
        redis.resume()
    assert Job.objects.filter(pk__in=[job.pk for job in jobs], status='pending').count() == len(jobs) > 6


@pytest.mark.once
@override_settings(NETBOX_JOBS={})  # with the time limit of users
def test_p1_vanished_with_every_packet_it_does_not_hold_up_enqueue(caplog, monkeypatch):
    """A server whose queue of new connections is full answers none of them, as if packets were lost."""
    with ExitStack() as sockets:
        hole = sockets.enter_context(socket.socket())
        hole.bind(('127.0.0.1', 0))
        hole.listen(0)
        for _ in range(3):
            full = sockets.enter_context(socket.socket())
            full.setblocking(False)
            full.connect_ex(hole.getsockname())
        url = f'redis://127.0.0.1:{hole.getsockname()[1]}/0'
        with override_settings(RQ_QUEUES={'default': {'URL': url}}):
            jobs = []
            assert is_quick(lambda: jobs.append(Plain.enqueue()))
            caplog.clear()
            more = []
            assert connects(lambda: more.extend(Plain.enqueue() for _ in range(20)), monkeypatch) == 1
    warnings = [record.message for record in caplog.records if record.levelname == 'WARNING']
    assert len(warnings) == 1
    assert f'Job {more[0].pk} (Plain) is stored, but Redis does not answer' in warnings[0]
    assert Job.objects.filter(pk__in=[job.pk for job in (*jobs, *more)], status='pending').count() == len(jobs) + 20


@pytest.mark.once
def test_a_worker_that_loses_redis_as_soon_as_it_has_started_outlives_it(redis, start_worker):
    worker = start_worker(TEST_REDIS_URL=redis.url)
    wait_for(lambda: LiveWorker.objects.exists() or worker.process.poll() is not None)
    redis.kill()
    wait_for(lambda: 'Redis does not answer' in worker.output or worker.process.poll() is not None)
    redis.start()
    job = Plain.enqueue()
    wait_for(lambda: status(job) == 'completed', 60, worker.output[-2000:])
    assert worker.process.poll() is None


@pytest.mark.once
def test_an_idle_worker_that_redis_has_forgotten_is_known_again_within_30_seconds(redis, start_worker):
    worker = start_worker(TEST_REDIS_URL=redis.url)
    client = delivery.queue('default').connection
    known = wait_for(lambda: RQWorker.all(client))
    client.flushdb()
    assert not RQWorker.all(client)
    again = wait_for(lambda: RQWorker.all(client), 60, worker.output[-2000:])
    assert [found.name for found in again] == [found.name for found in known]
    assert again[0].birth_date and again[0].queue_names() == known[0].queue_names()
    assert worker.process.poll() is None


def test_p1_killed_while_a_job_runs_the_worker_lives_and_the_job_completes(redis, start_worker, tmp_path):
    go = tmp_path / 'go'
    worker = start_worker(TEST_REDIS_URL=redis.url)
    job = Sleeping.enqueue(until=str(go))
    wait_for(lambda: Trace.objects.filter(job_pk=job.pk).exists())
    redis.kill()
    go.touch()
    wait_for(lambda: status(job) == 'completed')
    wait_for(lambda: 'Redis does not answer' in worker.output)
    redis.start()
    after = Plain.enqueue()
    wait_for(lambda: status(after) == 'completed')
    assert worker.process.poll() is None

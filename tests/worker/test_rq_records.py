"""RQ's own records of what our workers run: the parent writes them, and nothing in them ends a worker or a job."""

import signal
import zlib

import pytest
from redis import Redis
from rq.command import send_stop_job_command
from rq.job import Job as RQJob
from rq.suspension import resume, suspend

from netbox_jobs.broker import delivery
from tests.app.jobs import Failing, Plain, Sleeping
from tests.app.models import Trace
from tests.processes import RedisProcess, status, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.process, pytest.mark.once]

KINDS = pytest.mark.parametrize('options', [('--fast',), ()], ids=['fast', 'forking'])


@pytest.fixture
def queue():
    return delivery.queue('default')


def running(job):
    wait_for(lambda: Trace.objects.filter(job_pk=job.pk, what='start').exists())
    return job


@KINDS
def test_rqs_own_records_are_kept_and_foreign_jobs_run(start_worker, queue, options):
    foreign, broken = queue.enqueue('os.getpid'), queue.enqueue('os.getpgid', 'nonsense')
    garbled = queue.enqueue('os.getpid')
    queue.connection.hset(garbled.key, 'data', zlib.compress(b'nothing that can be unpickled'))
    good, bad = Plain.enqueue(), Failing.enqueue()
    worker = start_worker(*options, '--name', 'fast')
    wait_for(lambda: status(bad) == 'failed')
    wait_for(lambda: queue.connection.hget('rq:worker:fast', 'failed_job_count') == b'3')
    assert foreign.return_value() not in (None, worker.pid, *worker.horses())
    finished, failed = queue.finished_job_registry, queue.failed_job_registry
    wait_for(lambda: {foreign.id, str(good.job_id)} <= set(finished.get_job_ids()))
    assert {broken.id, garbled.id, str(bad.job_id)} == set(failed.get_job_ids())
    wait_for(lambda: not queue.started_job_registry.get_job_ids())
    assert [queue.fetch_job(str(job.job_id)).get_status() for job in (good, bad)] == ['finished', 'failed']
    record = queue.connection.hgetall('rq:worker:fast')
    assert int(record[b'successful_job_count']) >= 2
    assert 0 < float(record[b'total_working_time']) < 60
    wait_for(lambda: queue.connection.hget('rq:worker:fast', 'state') == b'idle')


@KINDS
def test_a_broken_dependent_in_redis_ends_no_worker(start_worker, queue, options, tmp_path):
    worker, go = start_worker(*options), tmp_path / 'go'
    job = running(Sleeping.enqueue(until=str(go)))
    dependent = queue.enqueue('os.getpid', depends_on=job.delivery_id)
    queue.connection.hdel(dependent.key, 'data')
    after = Plain.enqueue()
    go.touch()
    wait_for(lambda: (status(job), status(after)) == ('completed', 'completed'))
    later = Plain.enqueue()
    wait_for(lambda: status(later) == 'completed')
    assert worker.process.poll() is None


@KINDS
def test_a_job_that_ends_while_workers_are_suspended_leaves_nothing_open(start_worker, queue, options, tmp_path):
    start_worker(*options)
    go = tmp_path / 'go'
    job = running(Sleeping.enqueue(until=str(go)))
    dependent = queue.enqueue('os.getpid', depends_on=job.delivery_id)
    suspend(queue.connection)
    go.touch()
    wait_for(lambda: queue.fetch_job(job.delivery_id).get_status() == 'finished')
    wait_for(lambda: dependent.get_status() != 'deferred')
    resume(queue.connection)
    wait_for(lambda: dependent.get_status() == 'finished')


@KINDS
def test_a_foreign_job_in_another_queue_than_its_own_runs(start_worker, queue, options):
    start_worker('default', *options)
    job = RQJob.create('os.getpid', connection=queue.connection, origin='low', status='queued')
    job.save()
    queue.push_job_id(job.id)
    wait_for(lambda: job.get_status() == 'finished')


@KINDS
def test_a_foreign_job_that_fails_after_it_was_stopped_once_has_failed(start_worker, queue, options, tmp_path):
    start_worker(*options)
    path = tmp_path / 'there'
    job = queue.enqueue('tests.app.jobs.wait_or_fail', str(path))
    wait_for(lambda: path.with_suffix('.begun').exists())
    send_stop_job_command(queue.connection, job.id)
    wait_for(lambda: job.get_status() == 'stopped')
    path.touch()
    queue.failed_job_registry.requeue(job.id)
    wait_for(lambda: job.get_status() == 'failed')


@KINDS
def test_sigterm_lets_the_job_finish_also_while_redis_is_down(start_worker, queue, options, tmp_path):
    redis, go = RedisProcess(), tmp_path / 'go'
    try:
        worker = start_worker('default', *options, TEST_REDIS_URL=redis.url)
        job = Sleeping.enqueue(until=str(go))
        # Its delivery is carried over to the Redis that is to be lost.
        client, key = Redis.from_url(redis.url), f'rq:job:{job.delivery_id}'
        client.hset(key, mapping=queue.connection.hgetall(key))
        client.lpush('rq:queue:default', job.delivery_id)
        running(job)
        redis.kill()
        worker.signal(signal.SIGTERM)
        wait_for(lambda: 'warm shut down requested' in worker.output)
        go.touch()
        worker.process.wait(60)
        assert status(job) == 'completed'
    finally:
        redis.kill()

"""Batches of deliveries: what Redis copies is what RQ would have written."""

import pytest
from redis.client import Pipeline
from rq.job import Job as RQJob

from netbox_jobs.broker import batch, delivery
from netbox_jobs.lifecycle.deliver import delivery_of
from tests.app.jobs import Plain

pytestmark = pytest.mark.django_db(transaction=True)


def waiting(name='default'):
    return delivery.queue(name).job_ids


def test_what_redis_has_of_them_is_what_rq_writes():
    queue = delivery.queue('default')
    jobs = Plain.enqueue_many([{'name': f'number {number}', 'job_timeout': 7} for number in range(3)])
    ours = [queue.connection.hgetall(RQJob.key_for(str(job.job_id))) for job in jobs]
    assert waiting() == [str(job.job_id) for job in jobs]
    queue.empty()
    for job in jobs:
        delivery.deliver(delivery_of(job))
    theirs = [queue.connection.hgetall(RQJob.key_for(str(job.job_id))) for job in jobs]
    for entry in (*ours, *theirs):
        assert entry.pop(b'created_at') and entry.pop(b'enqueued_at')
    assert ours == theirs
    assert [queue.fetch_job(str(job.job_id)).args for job in jobs] == [(str(job.job_id),) for job in jobs]


def test_where_redis_does_not_copy_rq_writes_each_job(monkeypatch):
    monkeypatch.setattr(batch, '_refused', set())

    def refuse(pipeline, source, destination, **kwargs):
        return pipeline.execute_command('COPY', source)  # too few arguments, as for an old server

    monkeypatch.setattr(Pipeline, 'copy', refuse)
    for _again in range(2):
        jobs = Plain.enqueue_many([{}] * 3)
        assert waiting()[-3:] == [str(job.job_id) for job in jobs]
    assert len(waiting()) == 6 and len(batch._refused) == 1


@pytest.mark.parametrize('options', [{'at_front': True}, {'meta': {'x': 1}}, {'ttl': 60}])
def test_jobs_with_other_options_of_rq_are_written_by_rq(options, monkeypatch):
    monkeypatch.setattr(Pipeline, 'copy', None)
    jobs = Plain.enqueue_many([{}, {}], **options)
    assert sorted(waiting()) == sorted(str(job.job_id) for job in jobs)


def test_an_rq_that_does_more_for_a_job_than_is_known_writes_each_itself(monkeypatch):
    monkeypatch.setattr(Pipeline, 'copy', None)
    monkeypatch.setattr(batch, '_KNOWN_COMMANDS', {'HSET', 'RPUSH'})
    jobs = Plain.enqueue_many([{}, {}])
    assert waiting() == [str(job.job_id) for job in jobs]

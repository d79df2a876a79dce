"""Deliveries by a pattern: what Redis has of them means to RQ what its own means."""

import pytest
from django.test import override_settings
from rq import Queue
from rq.job import Job as RQJob

from netbox_jobs.broker import delivery, pattern
from netbox_jobs.lifecycle.deliver import delivery_of
from tests.app.jobs import Plain

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]


@pytest.fixture(autouse=True)
def learned(monkeypatch):
    """No pattern is known yet; the dictionary of those that are learned."""
    known = {}
    monkeypatch.setattr(pattern, '_patterns', known)
    return known


def waiting(name='default'):
    return delivery.queue(name).job_ids


def as_rq_reads(jobs):
    """All that RQ reads of these jobs, but for the times."""
    found = [vars(delivery.queue('default').fetch_job(str(job.job_id))) for job in jobs]
    for values in found:
        assert values.pop('created_at') and values.pop('enqueued_at')
        values.pop('connection', None), values.pop('redis_server_version', None)
        values.pop('timeout_handler', None)
    return found


@pytest.mark.parametrize('options', [{}, {'job_timeout': 7}, {'result_ttl': 9, 'failure_ttl': 8, 'description': 'so'}])
@pytest.mark.parametrize('number', [1, 3])
def test_what_redis_has_of_them_is_to_rq_what_it_writes_itself(number, options, learned, monkeypatch):
    queue = delivery.queue('default')
    jobs = Plain.enqueue_many([{'name': f'number {n}', **options} for n in range(number)])
    assert waiting() == [str(job.job_id) for job in jobs]
    assert None not in [found for _queue, found in learned.values()]
    ours = as_rq_reads(jobs)
    queue.empty()
    monkeypatch.setattr(pattern, 'pattern_of', lambda *args: None)
    for job in jobs:
        delivery.deliver(delivery_of(job))
    assert ours == as_rq_reads(jobs)
    assert [RQJob.fetch(str(job.job_id), connection=queue.connection).args for job in jobs] == [
        (str(job.job_id),) for job in jobs
    ]


def test_what_is_put_at_the_front_comes_before_the_others_the_last_one_first(learned):
    jobs = [Plain.enqueue(), *Plain.enqueue_many([{'at_front': True}, {}, {'at_front': True}])]
    assert waiting() == [str(jobs[number].job_id) for number in (3, 1, 0, 2)]
    assert None not in [found for _queue, found in learned.values()]
    assert len(learned) == 1


@pytest.mark.parametrize('options', [{'meta': {'x': 1}}, {'ttl': 60}])
def test_jobs_with_other_options_of_rq_are_written_by_rq(options, learned):
    jobs = Plain.enqueue_many([{}, {}], **options)
    assert sorted(waiting()) == sorted(str(job.job_id) for job in jobs)
    assert not learned


def test_an_rq_that_does_more_for_a_job_than_is_known_writes_each_itself(learned, monkeypatch):
    enqueue_call = Queue.enqueue_call

    def do_more(queue, *args, pipeline=None, **kwargs):
        made = enqueue_call(queue, *args, pipeline=pipeline, **kwargs)
        (pipeline or queue.connection).incr('more')
        return made

    monkeypatch.setattr(Queue, 'enqueue_call', do_more)
    job = Plain.enqueue()
    assert waiting() == [str(job.job_id)] and delivery.queue('default').connection.get('more') == b'1'
    assert [found for _queue, found in learned.values()] == [None]


class OwnQueue(Queue):
    """A project's own, which may do more than write."""


def test_a_queue_class_of_the_project_writes_each_itself(learned):
    with override_settings(RQ={'QUEUE_CLASS': f'{__name__}.OwnQueue'}):
        queue = OwnQueue('default', connection=delivery.queue('default').connection)
        made = delivery.Delivery(job_id='x', id='x', queue='default', subject='', description='')
        assert pattern.pattern_of(queue, delivery.ENTRY, made.as_rq_call(), {}) is None


def test_the_time_for_which_results_are_kept_is_the_one_that_is_configured_now(learned):
    for kept in (11, 12):
        with override_settings(RQ={'DEFAULT_RESULT_TTL': kept}):
            job = Plain.enqueue()
        assert delivery.queue('default').fetch_job(str(job.job_id)).result_ttl == kept


def test_p1_a_pattern_that_cannot_be_learned_loses_no_delivery(learned, monkeypatch):
    monkeypatch.setattr(pattern, '_fields_written', lambda *args: {}['nothing'])
    job = Plain.enqueue()
    assert waiting() == [str(job.job_id)] and [found for _queue, found in learned.values()] == [None]

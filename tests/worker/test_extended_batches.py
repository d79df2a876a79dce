"""A batch is extended while it is run, so that the child does not stand still between two of them."""

import time
from multiprocessing import Pipe
from types import SimpleNamespace

import pytest
from redis.exceptions import ConnectionError

from netbox_jobs.broker import connection
from netbox_jobs.models import Job
from netbox_jobs.worker.child import ChildProcess
from netbox_jobs.worker.protocol import Batch, Done, More
from tests.app.jobs import Plain
from tests.processes import wait_for

from .test_batches import all_completed, starts
from .test_supervisor import begin, deaf, hand_over, worker

__all__ = ['deaf', 'worker']
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.process, pytest.mark.once]


@pytest.fixture
def told(worker, deaf, monkeypatch):
    """Call with a number: that of jobs which the child has been sent, of ten that wait; returns what follows."""

    def extended(number, *, begun=0):
        ids = [str(job.job_id) for job in Plain.enqueue_many([{}] * 10)]
        worker.supervisor.size.learn(1, 0.005)
        hand_over(worker, number)
        for position in range(begun):
            worker.supervisor.child.page.end(position, time.monotonic())
        begin(worker, begun)
        sent, pipe = [], worker.supervisor.child.pipe
        monkeypatch.setattr(pipe, 'send', sent.append)

        def beat():
            worker.supervisor.child.page.end(begun, time.monotonic())
            deaf.pipe.send(Done(begun + 1, True))

        monkeypatch.setattr(worker.records, 'heartbeat', beat)
        worker.supervisor._finish()
        return ids, sent

    return extended


def test_a_batch_that_comes_to_its_end_is_extended(worker, told):
    ids, sent = told(2, begun=1)
    (more,) = sent
    assert [job_id for _delivery, job_id in more.jobs] == ids[2:] and not more.last
    # The child had come to its end before that: they are in their queue again, in their order.
    assert connection.queue('default').job_ids == ids[2:]
    assert worker.supervisor.child.jobs == 2


def test_a_batch_is_extended_by_no_job_that_another_worker_could_run(worker, told):
    worker.supervisor.size.workers = 9
    assert told(2, begun=1)[1] == []


def test_a_batch_of_which_most_has_not_begun_is_left_as_it_is(told):
    assert told(4)[1] == []


def test_a_batch_is_not_extended_past_the_jobs_of_the_worker(worker, told):
    worker.intake.max_jobs = 5
    _ids, (more,) = told(2, begun=1)
    assert len(more.jobs) == 3


def test_a_batch_is_not_extended_past_the_jobs_of_the_child(worker, told, monkeypatch):
    monkeypatch.setattr(worker, 'jobs_per_child', lambda: 4)
    _ids, (more,) = told(2, begun=1)
    assert len(more.jobs) == 2 and more.last


def test_a_batch_is_not_extended_when_the_worker_is_to_end(worker, told):
    worker._stop_requested = True
    ids, sent = told(2, begun=1)
    assert sent == [] and connection.queue('default').job_ids == ids[2:]


def test_a_batch_is_not_extended_while_redis_is_away(worker, told, monkeypatch):
    def refuse(count):
        raise ConnectionError('gone')

    take = worker.deliveries.take
    monkeypatch.setattr(worker.deliveries, 'take', lambda count: take(count) if count == 2 else refuse(count))
    ids, sent = told(2, begun=1)
    assert sent == [] and worker.redis_is_down and connection.queue('default').job_ids == ids[2:]


def test_a_child_passes_by_what_follows_a_batch_that_was_over(monkeypatch):
    ours, theirs = Pipe()
    child = ChildProcess.__new__(ChildProcess)
    child._pipe, child._of_threads = theirs, SimpleNamespace(close_ended=lambda: None)
    ours.send(More((('a', 'b'),), False))
    ours.send(Batch((('c', 'd'),), False))
    assert child._receive() == Batch((('c', 'd'),), False)


def test_p1_hundreds_of_jobs_pass_through_extended_batches_once_each(start_worker):
    jobs = Plain.enqueue_many([{}] * 400)
    worker = start_worker('--fast')
    wait_for(lambda: all_completed(jobs), 120, worker.output[-2000:])
    rows = Job.objects.filter(pk__in=[job.pk for job in jobs])
    assert set(rows.values_list('attempt', 'releases')) == {(1, 0)}
    assert {starts(job) for job in jobs} == {1}

"""The parent's side of a batch: which job a stop and a time limit hit, what goes back to its queue, what RQ records."""

import os
import signal
import subprocess
import time
from multiprocessing import Pipe
from pathlib import Path

import pytest

from netbox_jobs.broker import connection
from netbox_jobs.core import identity
from netbox_jobs.core.guards import PERSISTENCE
from netbox_jobs.execution.time_limit import GRACE
from netbox_jobs.lifecycle import claim
from netbox_jobs.worker import reap
from netbox_jobs.worker.batches import LONG, LONGEST, BatchSize
from netbox_jobs.worker.child_handle import ChildHandle
from netbox_jobs.worker.loop import Worker
from netbox_jobs.worker.persistent import FastWorker
from netbox_jobs.worker.protocol import Batch, Done
from tests.app.jobs import Orderly, Plain
from tests.processes import wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.process, pytest.mark.once]


class Deaf:
    """A process that ignores all requests, in place of a child; `answers` says what it writes."""

    def __init__(self, worker):
        handler = signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # which a program inherits
        self.process = subprocess.Popen(['sleep', '600'], start_new_session=True)
        signal.signal(signal.SIGUSR1, handler)
        ours, self.pipe = Pipe()
        worker.supervisor.child = ChildHandle(self.process.pid, ours)

    def end(self):
        self.process.kill()
        self.process.wait()
        self.pipe.close()


@pytest.fixture
def worker():
    queue = connection.queue('default')
    return FastWorker([queue], connection=queue.connection)


@pytest.fixture
def deaf(worker):
    process = Deaf(worker)
    yield process
    process.end()


def hand_over(worker, number=1):
    """Take so many jobs, and hand them over to the deaf child."""
    batch = worker.deliveries.take(number)
    worker.supervisor._hand_over(batch, Batch((), False))
    return batch


def begin(worker, position):
    worker.supervisor.child.page.begin(position, time.monotonic())


def test_p7_a_stop_between_the_handing_over_and_the_wait_for_the_child_keeps_its_grace(worker, deaf, monkeypatch):
    Orderly.enqueue()
    (taken,) = hand_over(worker)
    claim.claim(taken.job_id, identity.process_token(), 'default')
    monkeypatch.setattr(reap, 'begin_stop', lambda delivery_id: 0.2)
    worker._stop_job(taken.job_id)
    _pid, wait_status, _usage = worker.supervisor._watch(worker.supervisor.child, worker.supervisor._assignment)
    assert os.waitstatus_to_exitcode(wait_status) == -signal.SIGKILL


def test_p7_a_stop_that_comes_when_its_job_has_just_ended_hits_no_other(worker, deaf, monkeypatch):
    Orderly.enqueue_many([{}] * 2)
    first, second = hand_over(worker, 2)
    begin(worker, 0)

    def slow(delivery_id):  # the database takes its time, and meanwhile the next job has begun
        begin(worker, 1)
        return 0.0

    monkeypatch.setattr(reap, 'begin_stop', slow)
    worker.supervisor.stop(first.id)
    assert deaf.process.poll() is None and worker._stopped_job_id is None
    monkeypatch.setattr(reap, 'begin_stop', lambda delivery_id: 0.0)
    worker.supervisor.stop(second.id)
    assert deaf.process.wait(60) == -signal.SIGKILL


def test_p7_a_kill_that_comes_when_its_job_has_just_ended_hits_no_other(worker, deaf):
    Orderly.enqueue_many([{}] * 2)
    hand_over(worker, 2)
    begin(worker, 1)
    worker.supervisor._kill(worker.supervisor.child, worker.supervisor._assignment, 0)
    # It sleeps, and is not suspended any more.
    stat = Path(f'/proc/{deaf.process.pid}/stat')
    wait_for(lambda: stat.read_text().rsplit(')', 1)[1].split()[0] == 'S')
    assert deaf.process.poll() is None


@pytest.mark.parametrize(
    ('told', 'moment', 'over'),
    [
        (0.0, 100 + 5 + GRACE + 1, False),  # the claim, and what is imported, do not count
        (0.0, 100 + 5 + GRACE + PERSISTENCE + 1, True),
        (120.0, 119 + GRACE, False),
        (120.0, 121 + GRACE, True),
        (-104.0, 105 + GRACE + 1, False),  # run() is over: its end is being written, which may take a while
        (-104.0, 105 + GRACE + PERSISTENCE, True),
    ],
)
def test_the_time_limit_counts_for_run_alone(told, moment, over):
    assert reap.has_overrun(5, 100.0, told, moment) is over
    assert reap.has_overrun(-1, 100.0, told, moment) is False


# Batches


def test_a_batch_has_as_much_as_a_child_runs_in_a_moment_and_no_more_than_a_workers_share():
    size = BatchSize()
    assert size.next(1000) == 1  # nothing is known yet
    size.learn(1, 0.005)
    assert size.next(1000) == 10
    size.workers = 4
    assert (size.next(1000), size.next(12), size.next(3), size.next(0)) == (10, 3, 1, 1)
    size.learn(10, 10 * 0.02)
    assert size.next(1000) == 2  # jobs that take long count at once
    size.learn(1, 3.0)
    assert size.next(1000) == 1


def test_on_a_busy_machine_a_job_is_long_later():
    """Where it takes long to hand a job over, every job takes a while."""
    size = BatchSize()
    size.learn_handing_over(0.002)
    assert size.long == LONG
    for _ in range(20):
        size.learn_handing_over(0.01)
    assert 0.09 < size.long < 0.11
    for _ in range(60):
        size.learn_handing_over(60)
    assert 0.24 < size.long <= LONGEST
    for _ in range(6):
        size.learn_handing_over(0.002)
    assert size.long == LONG  # an outage is soon forgotten


def test_of_the_last_that_wait_a_worker_keeps_its_share():
    size = BatchSize()
    size.workers = 4
    assert [size.share(8, waiting) for waiting in (0, 8, 100)] == [2, 4, 27]
    assert size.share(1, 0) == 1


def test_ids_are_taken_in_order_and_go_back_in_order(worker):
    ids = [str(job.job_id) for job in Plain.enqueue_many([{}] * 5)]
    taken = worker.deliveries.take(4)
    assert [found.id for found in taken] == [found.job_id for found in taken] == ids[:4]
    assert worker.deliveries.waiting == 1
    worker.deliveries.put_back(taken[1:])
    assert connection.queue('default').job_ids == ids[1:]


def test_an_old_redis_gives_as_many(worker, monkeypatch):
    monkeypatch.setattr(worker, 'get_redis_server_version', lambda: (6, 0, 0))
    ids = [str(job.job_id) for job in Plain.enqueue_many([{}] * 5)]
    assert [found.id for found in worker.deliveries.take(4)] == ids[:4]
    assert worker.deliveries.waiting == 1
    assert [found.id for found in worker.deliveries.take(4)] == ids[4:]
    assert worker.deliveries.take(4) == []


def test_a_job_that_is_more_than_one_of_ours_has_a_batch_to_itself(worker):
    queue = connection.queue('default')
    worker.supervisor.size.learn(1, 0.001)
    plain = Plain.enqueue()
    called = queue.enqueue('os.getpid')
    last = Plain.enqueue()
    worker.deliveries.waiting = 3
    assert [found.id for found in worker._take()] == [str(plain.job_id)]
    worker.deliveries.waiting = 3
    (foreign,) = worker._take()
    assert (foreign.id, foreign.job_id) == (called.id, None)
    assert queue.job_ids == [str(last.job_id)]


def test_what_waits_behind_a_long_job_goes_back_to_its_queue(worker, deaf, monkeypatch):
    ids = [str(job.job_id) for job in Plain.enqueue_many([{}] * 4)]
    hand_over(worker, 4)
    begin(worker, 0)
    worker.supervisor.child.page.end(0, time.monotonic())
    worker.supervisor.child.page.begin(1, time.monotonic() - 1)
    deaf_pipe = deaf.pipe

    def answer():
        assert connection.queue('default').job_ids == ids[2:]
        assert worker.supervisor.child.page.begin(2, time.monotonic()) is False
        worker.supervisor.child.page.position = 1
        worker.supervisor.child.page.end(1, time.monotonic())
        deaf_pipe.send(Done(2, True))

    monkeypatch.setattr(worker, 'look_for_stop', answer)
    assert worker.supervisor._finish() == 2
    assert connection.queue('default').job_ids == ids[2:]
    worker.records.flush()
    assert set(connection.queue('default').finished_job_registry.get_job_ids()) == set(ids[:2])


@pytest.mark.parametrize('why', ['the worker is to end', 'a queue that comes first has work'])
def test_what_is_not_begun_goes_back_when(worker, deaf, monkeypatch, why):
    ids = [str(job.job_id) for job in Plain.enqueue_many([{}] * 3)]
    hand_over(worker, 3)
    begin(worker, 0)
    if why == 'the worker is to end':
        worker._stop_requested = True
    else:
        high = connection.queue('high')
        worker._ordered_queues = [high, *worker._ordered_queues]
        Plain.enqueue(queue_name='high')
    moments, until = [], time.monotonic() + 60

    def beat():  # a queue that comes first is looked at when the batch should have been over
        waiting = connection.queue('default').job_ids
        if not moments and (waiting == ids[1:] or time.monotonic() > until):
            moments.append(waiting)
            worker.supervisor.child.page.end(0, time.monotonic())
            deaf.pipe.send(Done(1, True))

    monkeypatch.setattr(worker.records, 'heartbeat', beat)
    assert worker.supervisor._finish() == 1
    assert moments[0] == ids[1:] == connection.queue('default').job_ids


def test_a_child_that_dies_leaves_what_it_has_not_begun_to_others(worker, deaf):
    ids = [str(job.job_id) for job in Plain.enqueue_many([{}] * 4)]
    hand_over(worker, 4)
    begin(worker, 0)
    worker.supervisor.child.page.end(0, time.monotonic())
    begin(worker, 1)
    deaf.process.kill()
    assert worker.supervisor._finish() == 2
    queue = connection.queue('default')
    assert queue.job_ids == ids[2:]
    worker.records.flush()
    assert queue.finished_job_registry.get_job_ids() == ids[:1]
    assert queue.failed_job_registry.get_job_ids() == ids[1:2]


def test_both_kinds_of_worker_say_how_many_jobs_a_child_runs():
    queue = connection.queue('default')
    assert Worker([queue], connection=queue.connection).jobs_per_child() == 1
    assert FastWorker([queue], connection=queue.connection).jobs_per_child() > 1

"""How many statements and Redis commands a short job costs, alone and in a batch of 16."""

import time
from itertools import pairwise
from types import SimpleNamespace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from redis import Redis

from netbox_jobs.broker.connection import queue
from netbox_jobs.core import identity
from netbox_jobs.jobs import JobRunner
from netbox_jobs.lifecycle.warm_up import warm_up
from netbox_jobs.models import Job
from netbox_jobs.signals import job_end
from netbox_jobs.worker.assignment import Assignment
from netbox_jobs.worker.child import ChildProcess
from netbox_jobs.worker.persistent import FastWorker
from netbox_jobs.worker.protocol import Batch, SharedPage
from netbox_jobs.worker.records import moment
from tests.app.jobs import Overriding, Quiet
from tests.dying import Died
from tests.processes import RedisProcess

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.process]


class Pipe:
    def __init__(self):
        self.sent = []

    def send(self, message):
        self.sent.append(message)

    def poll(self):
        return False


@pytest.fixture
def worker():
    target = queue('default')
    return FastWorker([target], connection=target.connection)


@pytest.fixture
def child(worker, monkeypatch):
    """A child process that is none: its loop runs in this one."""
    monkeypatch.setattr(worker, 'setup_work_horse_signals', lambda: None)
    monkeypatch.setattr('netbox_jobs.worker.child.reset_queries', lambda: None)
    monkeypatch.setattr('netbox_jobs.worker.child._has_children', lambda: False)
    monkeypatch.setattr('netbox_jobs.worker.child.signal.signal', lambda *args: None)
    monkeypatch.setattr(identity, '_inherited', True)  # no heartbeat of its own
    monkeypatch.setattr(identity, '_token', (0, 'w' * 32))
    warm_up('default')
    return ChildProcess(worker, Pipe(), SharedPage(), 0, None)


def run(child, jobs):
    """Run these jobs as one batch; returns what the child sends, and the statements."""
    message = Batch(tuple((job.delivery_id, str(job.job_id)) for job in jobs), False)
    child._page.reset(len(jobs))
    with CaptureQueriesContext(connection) as captured:
        assert child._run(message)
    # Without what a new connection of MariaDB begins with, and what one of PostgreSQL is sent once a second at most.
    others = ('SET SESSION', 'SELECT pg_backend_pid()', 'PREPARE', 'DEALLOCATE')
    return child._pipe.sent, [query['sql'] for query in captured if not query['sql'].startswith(others)]


class Remembering(JobRunner):
    """Has a result."""

    def run(self):
        self.job.data = {'found': [1, 2]}


@pytest.mark.parametrize('runner', [Quiet, Remembering])
@pytest.mark.parametrize('number', [1, 16])
def test_a_job_costs_one_statement_and_a_batch_one_more(child, number, runner):
    jobs = runner.enqueue_many([{}] * number)
    (done,), statements = run(child, jobs)
    assert done.begun == number
    assert not Job.objects.exclude(status='completed').exists()
    each = {'postgresql': 1, 'mysql': 3}.get(connection.vendor, 2)  # MariaDB has no UPDATE ... RETURNING
    assert len(statements) == (number + 1 if each == 1 else each * number), statements


def test_every_row_says_when_its_job_began_and_ended(child):
    jobs = Quiet.enqueue_many([{}] * 4)
    run(child, jobs)
    rows = list(Job.objects.order_by('started'))
    assert [row.pk for row in rows] == [job.pk for job in jobs]
    assert all(first.completed <= second.started for first, second in pairwise(rows))
    assert {(row.attempt, row.worker, row.releases) for row in rows} == {(1, None, 0)}


def test_a_job_is_not_claimed_while_others_are_told_of_the_end_before_it(child):
    jobs, running = Quiet.enqueue_many([{}] * 3), []

    def listen(sender, **kwargs):
        running.append(Job.objects.running().count())

    job_end.connect(listen)
    try:
        run(child, jobs)
    finally:
        job_end.disconnect(listen)
    assert running == [0, 0, 0]


def test_a_job_is_not_claimed_before_the_code_around_run_is_over(child, monkeypatch):
    jobs, running = [Overriding.enqueue(), Quiet.enqueue()], []
    handle = Overriding.handle.__func__

    def after(cls, job, *args, **kwargs):
        handle(cls, job, *args, **kwargs)
        running.append(Job.objects.running().count())

    monkeypatch.setattr(Overriding, 'handle', classmethod(after))
    run(child, jobs)
    assert running == [0]
    assert not Job.objects.exclude(status='completed').exists()


def test_p7_what_is_canceled_or_deleted_in_a_batch_is_neither_claimed_nor_run(child, monkeypatch):
    jobs = Quiet.enqueue_many([{}] * 4)
    assert jobs[1].cancel()
    jobs[2].delete()
    (done,), _statements = run(child, jobs)
    assert done.begun == 4
    assert list(Job.objects.order_by('pk').values_list('status', 'attempt')) == [
        ('completed', 1), ('canceled', 0), ('completed', 1),
    ]  # fmt: skip


def test_a_job_that_was_claimed_and_cannot_be_begun_goes_back_uncounted(child, monkeypatch):
    jobs = Quiet.enqueue_many([{}] * 3)
    monkeypatch.setattr(child, '_tidy_up', lambda: False)  # the first job leaves something behind
    message = Batch(tuple((job.delivery_id, str(job.job_id)) for job in jobs), False)
    child._page.reset(3)
    assert not child._run(message)
    assert child._pipe.sent[0].begun == 1
    rows = list(Job.objects.order_by('pk').values_list('status', 'attempt', 'worker', 'started'))
    assert rows[0][:2] == ('completed', 1)
    assert [(row[1], row[2], row[3]) for row in rows[1:]] == [(0, None, None)] * 2
    assert {row[0] for row in rows[1:]} <= {'pending', 'scheduled'}


class Held:
    """What a run holds when it ends."""

    there = 0

    def __init__(self):
        Held.there += 1

    def __del__(self):
        Held.there -= 1


class Exhausting(JobRunner):
    def run(self):
        self.job.data = 'taken'
        held = Held()
        raise MemoryError(held is None)


@pytest.mark.parametrize('cause', ['its job has exhausted its memory', 'its job could not be claimed'])
def test_a_child_process_that_is_of_no_use_any_more_runs_no_other_job(child, monkeypatch, cause):
    def fail(*args, **kwargs):
        raise MemoryError

    jobs = [(Exhausting if 'exhausted' in cause else Quiet).enqueue(), *Quiet.enqueue_many([{}] * 2)]
    if 'claimed' in cause:
        monkeypatch.setattr('netbox_jobs.worker.child.entry.run_delivered', fail)
    message = Batch(tuple((job.delivery_id, str(job.job_id)) for job in jobs), False)
    child._page.reset(3)
    assert not child._run(message)
    assert (child._pipe.sent[-1].begun, child._pipe.sent[-1].more) == (1, False)
    assert list(Job.objects.order_by('pk').values_list('attempt', flat=True))[1:] == [0, 0]
    assert not Job.objects.running().exists()


def test_the_end_of_a_run_that_has_exhausted_its_memory_is_written_without_what_it_held(child, monkeypatch):
    job, seen = Exhausting.enqueue(), []
    monkeypatch.setattr('netbox_jobs.execution.ending.described', lambda error: seen.append(Held.there) or repr(error))
    child._page.reset(1)
    child._run(Batch(((job.delivery_id, str(job.job_id)),), False))
    assert seen == [0]
    assert (Job.objects.get().status, Job.objects.get().data) == ('errored', 'taken')


# Redis


@pytest.fixture
def commands():
    """Count the commands of a Redis server of our own."""
    server = RedisProcess()
    client = Redis.from_url(server.url)

    def count(act):
        before = client.info('commandstats')
        act()
        after = client.info('commandstats')
        calls = {
            name: stat['calls'] - before.get(name, {'calls': 0})['calls']
            for name, stat in after.items()
            if stat['calls'] != before.get(name, {'calls': 0})['calls'] and 'info' not in name
        }
        return sum(calls.values()), calls

    yield server, client, count
    client.close()
    server.kill()


@pytest.mark.once
@pytest.mark.parametrize(('number', 'most'), [(1, 15), (16, 6)])
def test_redis_commands_of_a_job(commands, settings, number, most):
    server, client, count = commands
    settings.RQ_QUEUES = {'default': {'URL': server.url}}
    Quiet.enqueue_many([{}] * number)
    target = queue('default')
    worker = FastWorker([target], connection=Redis.from_url(server.url))
    worker.get_redis_server_version()
    began = time.monotonic()

    def work():
        taken = worker.deliveries.take(number)
        assert len(taken) == number
        for delivery in taken:
            worker.records.add(delivery, moment(began), moment(began))
        worker.records.flush()

    total, calls = count(work)
    assert total / number <= most, calls
    assert client.zcard(target.finished_job_registry.key) == number
    worker.connection.close()


if connection.vendor == 'postgresql':  # which claims a job with the end of the one before

    def test_a_job_that_is_claimed_with_the_end_of_the_one_before_is_not_taken_back(child, worker):
        jobs, offer = Quiet.enqueue_many([{}] * 4), child._offer
        handle = SimpleNamespace(page=child._page, jobs=0, failures={})
        assignment = Assignment(worker, handle, worker.deliveries.take(4), last=False)

        def take_back_meanwhile(position):
            offered = offer(position)
            assignment.take_back()
            return offered

        child._offer = take_back_meanwhile
        (done,), _statements = run(child, jobs)
        left = [job.delivery_id for job in jobs if Job.objects.get(pk=job.pk).status != 'completed']
        assert (done.begun, left) == (2, [jobs[2].delivery_id, jobs[3].delivery_id])
        assert queue('default').job_ids == left

    def test_p1_a_second_sigterm_between_two_jobs_of_a_batch_leaves_none_claimed(child, worker, monkeypatch):
        def die():
            raise Died

        def end_worker(*_watched):
            raise SystemExit

        jobs, supervisor = Quiet.enqueue_many([{}] * 4), worker.supervisor
        handle = SimpleNamespace(page=child._page, kill=lambda: None, done=None, jobs=0, failures={})
        supervisor.child = handle
        supervisor._assignment = Assignment(worker, handle, worker.deliveries.take(4), last=False)
        monkeypatch.setattr(child, '_tidy_up', die)
        with pytest.raises(Died):
            run(child, jobs)
        assert Job.objects.running().get().pk == jobs[1].pk
        monkeypatch.setattr(supervisor, '_watch', end_worker)
        monkeypatch.setattr('netbox_jobs.worker.supervisor.signal.signal', lambda *args: None)
        with pytest.raises(SystemExit):
            supervisor._finish()
        rows = list(Job.objects.order_by('pk').values_list('status', 'attempt', 'error'))
        assert rows[0][0] == 'completed' and {row[1:] for row in rows[1:]} == {(0, '')}
        assert not Job.objects.running().exists()
        assert set(queue('default').job_ids) >= {job.delivery_id for job in jobs[2:]}

"""Batches in a persistent child: every job is run once and truly accounted for, whatever dies in the middle of one."""

import os
import signal
from itertools import pairwise

import pytest
from django.utils import timezone
from rq.suspension import resume, suspend

from netbox_jobs.broker import connection
from netbox_jobs.models import Job, Worker
from tests.app.jobs import Dying, Plain, Sleeping, Working
from tests.app.models import Trace
from tests.processes import status, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.process]

SOON = {'TEST_NETBOX_JOBS_WORKER_TIMEOUT': '6'}


@pytest.fixture
def held(start_worker):
    """Start a fast worker that knows how short jobs are, and call what enqueues while it is suspended."""

    def _held(enqueue, *arguments, **environment):
        worker = start_worker('--fast', *arguments, **environment)
        before = [Plain.enqueue() for _ in range(8)]
        wait_for(lambda: all(status(job) == 'completed' for job in before), what=worker.output[-2000:])
        client = connection.queue('default').connection
        suspend(client)
        wait_for(lambda: 'suspended' in worker.output)
        found = enqueue()
        resume(client)
        return worker, found

    return _held


def starts(job):
    return Trace.objects.filter(job_pk=job.pk, what='start').count()


def all_completed(jobs):
    return not Job.objects.filter(pk__in=[job.pk for job in jobs]).exclude(status='completed').exists()


def test_every_job_of_a_batch_says_truly_when_it_began_and_ended(held):
    _worker, jobs = held(lambda: Working.enqueue_many([{'seconds': 0.002}] * 40))
    wait_for(lambda: all_completed(jobs))
    rows = list(Job.objects.filter(pk__in=[job.pk for job in jobs]).order_by('started'))
    assert [row.pk for row in rows] == [job.pk for job in jobs]
    for first, second in pairwise(rows):
        assert first.started < first.completed <= second.started
    assert {(row.attempt, row.releases, starts(row)) for row in rows} == {(1, 0, 1)}


def test_p1_when_the_child_dies_its_job_alone_is_errored_and_the_others_run(held):
    def enqueue():
        return [*Plain.enqueue_many([{}] * 10), Dying.enqueue(how='kill'), *Plain.enqueue_many([{}] * 10)]

    _worker, jobs = held(enqueue)
    dead = jobs.pop(10)
    wait_for(lambda: all_completed(jobs))
    assert status(dead) == 'errored' and 'SIGKILL' in dead.error
    assert {(starts(job), Job.objects.get(pk=job.pk).attempt) for job in jobs} == {(1, 1)}


@pytest.mark.parametrize('step', ['before the terminal write', 'after it'])
def test_p1_when_the_child_dies_around_the_end_of_a_job_the_next_ones_run_and_no_attempt_of_theirs_counts(held, step):
    """After it, the next job has been claimed with the end of this one, where the database can do that."""

    def enqueue():
        return [*Plain.enqueue_many([{}] * 4), Working.enqueue(how=step), *Plain.enqueue_many([{}] * 10)]

    _worker, jobs = held(enqueue)
    dead = jobs.pop(4)
    wait_for(lambda: all_completed(jobs))
    assert status(dead) == ('completed' if step == 'after it' else 'errored')
    assert {(starts(job), Job.objects.get(pk=job.pk).attempt) for job in jobs} == {(1, 1)}


@pytest.mark.once
def test_what_rq_has_of_a_batch_is_whole_within_a_second(held):
    _worker, jobs = held(lambda: Plain.enqueue_many([{}] * 30))
    wait_for(lambda: all_completed(jobs))
    ids, queue = {str(job.job_id) for job in jobs}, connection.queue('default')
    wait_for(lambda: ids <= set(queue.finished_job_registry.get_job_ids()))
    for job in queue.job_class.fetch_many(ids, queue.connection, queue.serializer):
        assert (job.get_status(), job.latest_result().type.name) == ('finished', 'SUCCESSFUL')
        assert job.enqueued_at <= job.started_at <= job.ended_at
        assert queue.connection.ttl(job.key) > 0
    assert not queue.started_job_registry.get_job_ids()


def test_p1_when_the_worker_dies_with_its_child_others_run_what_they_had_not_begun(held, start_worker):
    def enqueue():
        return [*Plain.enqueue_many([{}] * 3), Sleeping.enqueue(), *Plain.enqueue_many([{}] * 20)]

    first, jobs = held(enqueue, **SOON)
    sleeping = jobs.pop(3)
    wait_for(lambda: starts(sleeping))
    first.kill()
    start_worker('--fast', **SOON)
    wait_for(lambda: all_completed(jobs))
    assert {(starts(job), Job.objects.get(pk=job.pk).attempt) for job in jobs} == {(1, 1)}
    wait_for(lambda: status(sleeping) == 'errored', 60)


def test_what_is_behind_a_long_job_another_worker_runs(held, start_worker):
    other = start_worker('--fast')
    wait_for(lambda: Worker.objects.exists())
    worker, jobs = held(lambda: [*Plain.enqueue_many([{}] * 3), Sleeping.enqueue(), *Plain.enqueue_many([{}] * 40)])
    sleeping = jobs.pop(3)
    wait_for(lambda: starts(sleeping))
    wait_for(lambda: all_completed(jobs), 60, (worker.output + other.output)[-3000:])
    assert status(sleeping) == 'running'


def test_p7_a_stopped_job_of_a_batch_takes_no_other_along(held):
    worker, jobs = held(lambda: [*Plain.enqueue_many([{}] * 5), Sleeping.enqueue(), *Plain.enqueue_many([{}] * 20)])
    sleeping = jobs.pop(5)
    wait_for(lambda: starts(sleeping))
    assert sleeping.stop()
    wait_for(lambda: status(sleeping) == 'canceled', 60, worker.output[-2000:])
    wait_for(lambda: all_completed(jobs))
    assert {starts(job) for job in jobs} == {1}


def test_p7_a_job_that_is_deleted_or_canceled_behind_another_never_runs(held, tmp_path):
    go = tmp_path / 'go'
    _worker, jobs = held(lambda: [Sleeping.enqueue(until=str(go)), *Plain.enqueue_many([{}] * 10)])
    wait_for(lambda: starts(jobs[0]))
    assert jobs[4].cancel()
    pk = jobs[6].pk
    jobs[6].delete()
    go.touch()
    wait_for(lambda: all_completed([*jobs[:4], jobs[5], *jobs[7:]]))
    assert not starts(jobs[4]) and not Trace.objects.filter(job_pk=pk).exists()
    assert status(jobs[4]) == 'canceled'


@pytest.mark.once
def test_a_queue_that_comes_first_waits_for_a_moment_at_most(held):
    """A job of another queue, enqueued by the first of many, runs before nearly all of them."""
    _worker, jobs = held(lambda: [Working.enqueue(queue_name='low', seconds=0.01) for _ in range(60)])
    wait_for(lambda: starts(jobs[0]))
    urgent = Plain.enqueue(queue_name='high')
    known = timezone.now()  # after it is in Redis, however long that took
    wait_for(lambda: status(urgent) == 'completed')
    left = Job.objects.filter(pk__in=[job.pk for job in jobs], started__gt=urgent.started).count()
    ahead = Job.objects.filter(pk__in=[job.pk for job in jobs], started__gt=known).count() - left
    assert ahead <= 12
    wait_for(lambda: all_completed(jobs))


@pytest.mark.once
def test_sigterm_leaves_what_is_not_begun_in_its_queue(held, start_worker, tmp_path):
    go = tmp_path / 'go'
    worker, jobs = held(lambda: [*Plain.enqueue_many([{}] * 3), Sleeping.enqueue(until=str(go)), Plain.enqueue()])
    wait_for(lambda: starts(jobs[3]))
    os.kill(worker.pid, signal.SIGTERM)
    wait_for(lambda: 'warm shut down requested' in worker.output)
    wait_for(lambda: connection.queue('default').job_ids)  # what was not begun is back
    go.touch()
    assert worker.process.wait(60) == 0
    assert [status(job) for job in jobs] == ['completed'] * 4 + ['pending']
    assert connection.queue('default').job_ids == [jobs[4].delivery_id]
    start_worker('--fast')
    wait_for(lambda: status(jobs[4]) == 'completed')


@pytest.mark.once
@pytest.mark.parametrize('kind', ['--fast', '--verbosity=1'])
def test_max_jobs_and_burst_count_every_job(start_worker, kind):
    jobs = Plain.enqueue_many([{}] * 30)
    worker = start_worker(kind, '--burst', '--max-jobs', '20')
    assert worker.process.wait(60) == 0
    assert Job.objects.filter(pk__in=[job.pk for job in jobs], status='completed').count() == 20
    left = {str(job.job_id) for job in jobs if status(job) != 'completed'}
    # By a later delivery, if recovery has missed one that a slow worker had in its hands.
    assert left <= {delivery_id[:36] for delivery_id in connection.queue('default').job_ids}
    assert start_worker(kind, '--burst').process.wait(60) == 0
    assert all_completed(jobs)

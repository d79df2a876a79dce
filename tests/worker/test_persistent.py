"""The fast worker: what its child survives, what it does not, and that jobs leave nothing to each other."""

import os
import signal
import time

import pytest
from django.test import override_settings
from redis import Redis
from rq import Queue

from netbox_jobs.models import Job, Worker
from tests.app.jobs import (
    Breaking,
    Dying,
    Plain,
    Sleeping,
    Spawning,
    Stuck,
    Talking,
    Telltale,
)
from tests.app.models import Thing, Trace
from tests.processes import RedisProcess, is_alive, status, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.process]

CAUSES = {
    'kill': 'killed by signal 9 (SIGKILL)',
    'segv': 'killed by signal 11 (SIGSEGV)',
    'exit': 'ended with exit code 7',
    'leave': 'ended with exit code 0',
}


def started(job):
    return Trace.objects.filter(job_pk=job.pk, what='start').exists()


def child(worker):
    return wait_for(worker.horses)[0]


def told(job):
    wait_for(lambda: status(job) == 'completed', what=f'{job} is {job.status}: {job.error}')
    return job.data


def test_all_jobs_run_in_one_child_that_connects_once(start_worker):
    worker = start_worker('--fast')
    pid = child(worker)
    found = [told(job) for job in Telltale.enqueue_many([{}] * 20)]
    assert {data['pid'] for data in found} == {pid} == set(worker.horses())
    assert len({data['connections'] for data in found}) == 1


@pytest.mark.once
def test_after_so_many_jobs_another_child_takes_its_place(start_worker):
    start_worker('--fast', TEST_NETBOX_JOBS_JOBS_PER_CHILD='3')
    pids = [told(job)['pid'] for job in Telltale.enqueue_many([{}] * 9)]
    assert len(set(pids)) in (3, 4)  # a system job may have been among them
    assert all(pids.count(pid) <= 3 for pid in pids)


@pytest.mark.parametrize(
    'how', ['kill', *(pytest.param(how, marks=pytest.mark.once) for how in CAUSES if how != 'kill')]
)
def test_p1_when_the_child_dies_its_job_is_errored_at_once_and_the_next_runs_in_another(start_worker, how):
    worker = start_worker('--fast')
    before = child(worker)
    job, after = Dying.enqueue(interval=10, how=how), Telltale.enqueue()
    assert told(after)['pid'] != before
    assert status(job) == 'errored' and CAUSES[how] in job.error
    assert [s.predecessor_id for s in Dying.get_jobs().exclude(pk=job.pk)] == [job.pk]
    assert not is_alive(before)


@pytest.mark.once
def test_a_child_that_dies_while_it_waits_is_replaced(start_worker):
    worker = start_worker('--fast')
    before = child(worker)
    os.kill(before, signal.SIGKILL)
    assert told(Telltale.enqueue())['pid'] != before
    assert worker.process.poll() is None


@pytest.mark.once
def test_p7_stopping_a_job_ends_what_it_has_started_and_the_next_runs_in_another_child(start_worker):
    worker = start_worker('--fast')
    before = child(worker)
    job = Spawning.enqueue()
    wait_for(lambda: status(job) == 'running' and job.data)
    assert job.stop()
    wait_for(lambda: status(job) == 'canceled')
    wait_for(lambda: not is_alive(job.data['pid']) and not is_alive(before), 40)
    assert told(Telltale.enqueue())['pid'] != before


@pytest.mark.once
def test_p7_deleting_a_running_job_ends_it(start_worker):
    worker = start_worker('--fast')
    before = child(worker)
    job = Sleeping.enqueue()
    wait_for(lambda: started(job))
    job.delete()
    wait_for(lambda: not is_alive(before), 40)
    assert told(Telltale.enqueue())
    assert not Sleeping.get_jobs().exists()


@pytest.mark.once
def test_a_time_limit_leaves_the_child_alive_where_run_heeds_it(start_worker):
    worker = start_worker('--fast')
    before = child(worker)
    job = Sleeping.enqueue(job_timeout=1)
    wait_for(lambda: status(job) == 'errored')
    assert 'exceeded maximum timeout value (1 seconds)' in job.error
    assert told(Telltale.enqueue())['pid'] == before


@pytest.mark.once
def test_a_time_limit_ends_a_child_that_is_stuck_in_c_code_and_shows_where(start_worker):
    worker = start_worker('--fast')
    before = child(worker)
    job = Stuck.enqueue(job_timeout=1)
    wait_for(lambda: status(job) == 'errored')
    assert 'exceeded its time limit of 1 seconds' in job.error
    assert 'in run' in worker.output and 'tests/app/crashing.py' in worker.output
    assert told(Telltale.enqueue())['pid'] != before


@pytest.mark.parametrize('how', ['open', 'broken', 'swallowed', 'closed', 'killed'])
def test_whatever_run_does_to_its_connection_the_next_job_does_not_notice(start_worker, how):
    start_worker('--fast')
    job = Breaking.enqueue(how=how)
    wait_for(lambda: status(job) in ('completed', 'errored'))
    after = Plain.enqueue(word='x')
    wait_for(lambda: status(after) == 'completed')
    assert not Thing.objects.filter(name='lost').exists()
    assert Trace.objects.filter(job_pk=after.pk, what='end').exists()


@pytest.mark.once
def test_a_job_leaves_neither_language_nor_processes_to_the_next(start_worker):
    worker = start_worker('--fast')
    before = child(worker)
    first = told(Telltale.enqueue(leave='language'))
    second = told(Telltale.enqueue())
    assert (second['language'], second['pid']) == (first['language'], before)
    third = told(Telltale.enqueue(leave='process'))
    assert told(Telltale.enqueue())['pid'] != before
    wait_for(lambda: not is_alive(third['left']), 40)


@pytest.mark.once
def test_a_thread_that_outlives_its_job_does_not_write_into_the_log_of_the_next(start_worker, tmp_path):
    go = tmp_path / 'go'
    start_worker('--fast')
    told(Telltale.enqueue(leave='thread'))
    job = Sleeping.enqueue(until=str(go))
    wait_for(lambda: started(job))
    time.sleep(1.2)  # the thread's line comes after a second
    go.touch()
    wait_for(lambda: status(job) == 'completed')
    assert job.log_entries == []


@pytest.mark.once
def test_each_job_has_its_own_log(start_worker):
    start_worker('--fast')
    jobs = [Talking.enqueue(lines=number) for number in (3, 0, 10)]
    for job in jobs:
        wait_for(lambda: status(job) == 'completed')  # noqa: B023
    assert [len(job.log_entries) for job in jobs] == [3, 0, 10]


@pytest.mark.once
def test_sigterm_finishes_the_job_and_then_ends_worker_and_child(start_worker, tmp_path):
    worker = start_worker('--fast')
    pid, go = child(worker), tmp_path / 'go'
    job = Sleeping.enqueue(until=str(go))
    wait_for(lambda: started(job))
    os.killpg(worker.pid, signal.SIGTERM)
    os.kill(pid, signal.SIGTERM)  # as systemd sends it to all
    wait_for(lambda: 'warm shut down requested' in worker.output)
    go.touch()
    assert worker.process.wait(60) == 0
    assert status(job) == 'completed'
    assert not is_alive(pid) and not Worker.objects.exists()


@pytest.mark.once
def test_sigterm_ends_an_idle_worker_and_its_child(start_worker):
    worker = start_worker('--fast')
    pid = child(worker)
    told(Plain.enqueue())
    worker.signal(signal.SIGTERM)
    assert worker.process.wait(60) == 0
    assert not is_alive(pid)


@pytest.mark.once
def test_a_second_sigterm_ends_a_job_at_once_and_it_is_errored(start_worker):
    worker = start_worker('--fast')
    job = Sleeping.enqueue()
    wait_for(lambda: started(job))
    worker.end_impatiently()
    assert status(job) == 'errored' and 'SIGKILL' in job.error


@pytest.mark.once
def test_a_worker_that_is_killed_takes_its_child_along(start_worker):
    worker = start_worker('--fast')
    job = Sleeping.enqueue()
    wait_for(lambda: started(job))
    pid = child(worker)
    os.kill(worker.pid, signal.SIGKILL)
    worker.process.wait(60)
    wait_for(lambda: not is_alive(pid), 40)


def test_p3_a_child_whose_claim_is_lost_ends_itself_and_changes_nothing(start_worker):
    worker = start_worker('--fast')
    pid = child(worker)
    job = Sleeping.enqueue()
    wait_for(lambda: started(job))
    Job.objects.filter(pk=job.pk).update(status='errored', worker=None)
    wait_for(lambda: not is_alive(pid), 40)
    assert status(job) == 'errored'
    assert told(Telltale.enqueue())


@pytest.mark.once
def test_redis_commands_for_a_job_are_at_most_those_of_rq_and_two(start_worker, tmp_path):
    """Those of RQ's own forking worker with an empty function; the difference of two runs leaves out the start."""
    redis = RedisProcess()
    try:
        client = Redis.from_url(redis.url)

        def commands():
            return client.info('stats')['total_commands_processed']

        def of_ours(number):
            Plain.enqueue_many([{}] * number)
            before = commands()
            start_worker('--fast', '--burst', TEST_REDIS_URL=redis.url).process.wait(60)
            return commands() - before

        def of_raw(number):
            queue = Queue('raw', connection=client)
            for _ in range(number):
                queue.enqueue('os.getpid')
            before = commands()
            # In a session of its own, as its horses must not be those of the test.
            pid = os.fork()
            if pid == 0:
                try:
                    from rq import SimpleWorker

                    SimpleWorker([queue], connection=Redis.from_url(redis.url)).work(burst=True)
                finally:
                    os._exit(0)
            os.waitpid(pid, 0)
            return commands() - before

        with override_settings(RQ_QUEUES={'default': {'URL': redis.url}}):
            ours = (of_ours(40) - of_ours(10)) / 30
            raw = (of_raw(40) - of_raw(10)) / 30
        assert ours <= raw + 2, (ours, raw)
    finally:
        redis.kill()

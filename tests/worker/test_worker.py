"""Real `rqworker` processes: what they serve, in which order, and what they say."""

import os
import signal
import subprocess
import sys
from datetime import timedelta

import pytest
from django.utils import timezone

from netbox_jobs.broker import delivery
from netbox_jobs.choices import JobStatusChoices
from netbox_jobs.models import Job, Schedule, Worker
from tests.app.jobs import Housekeeping, Plain, Talking, Telltale
from tests.app.models import Thing, Trace
from tests.processes import ROOT, is_alive, status, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.process]


def test_a_job_is_enqueued_and_a_worker_completes_it(start_worker):
    thing = Thing.objects.create()
    job = Plain.enqueue(instance=thing, word='x', other=thing)
    assert job.status == JobStatusChoices.STATUS_PENDING
    worker = start_worker('--burst')
    worker.process.wait(60)
    assert status(job) == 'completed', worker.output
    assert job.data == {'word': 'x', 'other': 'thing'}
    assert Trace.objects.filter(job_pk=job.pk, what='start').count() == 1


@pytest.mark.once
def test_a_child_waits_for_its_job_beforehand_and_the_next_job_has_another(start_worker):
    worker = start_worker('low')  # where no system job comes between
    (before,) = wait_for(worker.horses)
    for _ in range(3):
        job = Telltale.enqueue(queue_name='low')
        wait_for(lambda: status(job) == 'completed')  # noqa: B023
        assert job.data['pid'] == before
        wait_for(lambda: not is_alive(before), 40)  # noqa: B023
        (before,) = wait_for(worker.horses)


def killed(worker):
    """Kill the child of a worker, if it has one; returns its process."""
    for pid in worker.horses():
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
        return pid
    return None


@pytest.mark.once
def test_a_child_that_dies_while_it_waits_is_replaced(start_worker):
    worker = start_worker()
    before = wait_for(lambda: killed(worker))
    job = Telltale.enqueue()
    wait_for(lambda: status(job) == 'completed')
    assert job.data['pid'] != before


@pytest.mark.once
def test_a_plugin_queue_is_served_by_a_worker_that_names_it(start_worker):
    job = Plain.enqueue(queue_name='tests.app.work')
    start_worker('--burst').process.wait(60)
    assert status(job) == 'pending'
    start_worker('tests.app.work', '--burst').process.wait(60)
    assert status(job) == 'completed'


@pytest.mark.once
def test_queues_are_served_in_strict_priority(start_worker):
    jobs = [Plain.enqueue(queue_name=name) for name in ('low', 'default', 'high', 'low', 'high')]
    start_worker('--burst').process.wait(60)
    started = sorted(jobs, key=lambda job: (job.refresh_from_db(), job.started)[1])
    assert [job.queue_name for job in started] == ['high', 'high', 'default', 'low', 'low']


def test_a_scheduled_job_runs_at_its_time(start_worker):
    start_worker()
    late = []
    while not late or (late[-1] >= timedelta(seconds=5) and len(late) < 5):  # a busy machine may delay one
        job = Plain.enqueue(schedule_at=timezone.now() + timedelta(seconds=3))
        assert job.status == JobStatusChoices.STATUS_SCHEDULED
        wait_for(lambda job=job: status(job) == 'completed')
        late.append(job.started - job.scheduled)
    assert timedelta() <= min(late) < timedelta(seconds=5)


def test_system_jobs_are_scheduled_once_by_two_workers_that_start_together(start_worker):
    first, second = start_worker(), start_worker()
    wait_for(lambda: Worker.objects.count() == 2)
    wait_for(lambda: Housekeeping.get_jobs().ended().exists())
    assert 'Housekeeping (every 60 min)' in first.output
    assert Housekeeping.get_jobs().waiting().count() == 1
    assert Schedule.objects.filter(runner__endswith='.Housekeeping').count() == 1
    wait_for(lambda: 'cleaning registries' in second.output)  # by now it heeds SIGTERM
    assert second.stop() == 0


@pytest.mark.once
def test_the_start_line_says_what_is_served_and_what_is_not(start_worker):
    worker = start_worker('--burst')
    worker.process.wait(60)
    assert 'Serving high, default, low; system jobs scheduled: Housekeeping (every 60 min)' in worker.output
    assert 'Plugin queues without it: tests.app.work, tests.app.bulk' in worker.output


@pytest.mark.once
def test_all_queues_serves_the_plugins_queues_too(start_worker):
    job = Plain.enqueue(queue_name='tests.app.bulk')
    worker = start_worker('low', '--all-queues', '--burst')
    worker.process.wait(60)
    assert status(job) == 'completed'
    assert 'Plugin queues without it' not in worker.output
    assert 'Serving low, high, default, ' in worker.output  # what is named comes first


@pytest.mark.once
def test_an_unknown_queue_is_one_clear_sentence(start_worker):
    worker = start_worker('nonsense')
    assert worker.process.wait(60) != 0
    assert "There is no queue 'nonsense'" in worker.output
    assert "'tests.app.work'" in worker.output
    assert 'Traceback' not in worker.output


@pytest.mark.once
def test_queues_on_different_servers_are_refused_in_one_worker(start_worker):
    worker = start_worker('default', 'elsewhere', TEST_OTHER_REDIS='redis://127.0.0.1:1/0')
    assert worker.process.wait(60) != 0
    assert 'on different Redis servers; run one worker for each group: default; elsewhere' in worker.output


@pytest.mark.once
def test_max_jobs_ends_a_worker_in_order(start_worker):
    jobs = [Plain.enqueue() for _ in range(3)]
    worker = start_worker('--max-jobs', '2')
    assert worker.process.wait(60) == 0
    assert sorted(status(job) for job in jobs).count('completed') == 2 or Housekeeping.get_jobs().ended().exists()
    assert not Worker.objects.exists()


@pytest.mark.once
def test_a_pool_runs_jobs(start_worker):
    jobs = [Talking.enqueue() for _ in range(6)]
    worker = start_worker('--num-workers', '2', '--burst', command='rqworker-pool')
    worker.process.wait(60)
    assert {status(job) for job in jobs} == {'completed'}, worker.output


@pytest.mark.once
def test_migrate_works_on_an_empty_database_with_redis_down(tmp_path):
    """`setup()` in `ready()`, as on the page, touches neither."""
    environment = {
        **os.environ,
        'DJANGO_SETTINGS_MODULE': 'tests.settings',
        'TEST_DATABASE_URL': f'sqlite:///{tmp_path}/empty.sqlite3',
        'TEST_REDIS_URL': 'redis://127.0.0.1:1/0',
    }
    done = subprocess.run(
        [sys.executable, '-W', 'error', '-m', 'django', 'migrate', '--no-color'],
        env=environment, cwd=ROOT, capture_output=True, text=True, timeout=170,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert 'netbox_jobs.0001_initial... OK' in done.stdout


@pytest.mark.once
def test_sigterm_finishes_the_job_and_then_ends_the_worker(start_worker, tmp_path):
    from tests.app.jobs import Sleeping

    worker = start_worker()
    go = tmp_path / 'go'
    job = Sleeping.enqueue(until=str(go))
    wait_for(lambda: Trace.objects.filter(job_pk=job.pk).exists())
    os.killpg(worker.pid, 15)  # to the whole group, as systemd does
    wait_for(lambda: 'warm shut down requested' in worker.output)
    assert status(job) == 'running'
    go.touch()
    assert worker.process.wait(60) == 0
    assert status(job) == 'completed'
    assert not Job.objects.running().exists()


@pytest.mark.once
def test_rqs_scheduler_is_started_for_a_scheduled_job_of_rqs_own(start_worker):
    worker = start_worker()
    wait_for(lambda: 'Listening' in worker.output)
    queue = delivery.queue('default')
    assert not queue.connection.keys('rq:scheduler-lock:*')
    foreign = queue.enqueue_in(timedelta(seconds=1), os.getpid)
    wait_for(lambda: foreign.get_status() == 'finished')
    assert queue.connection.keys('rq:scheduler-lock:*')

"""Real workers of a project with the plugin."""

import os
import signal

import pytest
from django.contrib.auth import get_user_model
from django_rq import get_queue
from rq.job import Job as RQJob
from rq.job import JobStatus

from netbox_jobs.models import Job
from tests.contrib.netbox.inventory.jobs import BackupRunner, ImportRunner, SyncDeviceJob
from tests.contrib.netbox.inventory.models import Device
from tests.processes import status, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.process]
SETTINGS = {'DJANGO_SETTINGS_MODULE': 'tests.contrib.netbox.settings'}


def test_a_worker_schedules_the_plugins_system_jobs_and_runs_its_jobs(start_worker):
    from utilities.rqworker import any_workers_for_queue, get_all_workers, get_workers_for_queue

    job = SyncDeviceJob.enqueue_sync(Device.objects.create(name='switch'))
    worker = start_worker('--all-queues', **SETTINGS)
    wait_for(lambda: status(job) == 'completed', what='the job of the plugin')
    wait_for(lambda: BackupRunner.get_jobs().filter(status='completed').exists(), what='the system job')
    assert BackupRunner.get_jobs().waiting().get().interval == 5
    assert 'Backup runner (every 5 min)' in worker.output
    assert any_workers_for_queue('low')
    assert get_workers_for_queue('tests.contrib.netbox.inventory.sync') == 1
    assert len(get_all_workers()) == 1


def test_a_job_of_the_plugin_whose_process_is_killed_ends(start_worker):
    worker = start_worker('--all-queues', **SETTINGS)
    wait_for(lambda: BackupRunner.get_jobs().filter(status='completed').exists(), what='the system job')
    Device.objects.create(name='slow')
    job = BackupRunner.enqueue()
    # A second child, which waits, is ended when the job takes a while.
    (child,) = wait_for(lambda: status(job) == 'running' and len(found := worker.horses()) == 1 and found)
    os.kill(child, signal.SIGKILL)
    wait_for(lambda: status(job) == 'errored', what='the end')
    assert Job.objects.get(pk=job.pk).error


@pytest.mark.parametrize('kind', [[], ['--fast']], ids=['forking', 'persistent'])
def test_other_processes_read_in_rq_what_a_run_reports_there(start_worker, kind):
    job = ImportRunner.enqueue(names=['a', 'b'], user=get_user_model().objects.create(username='u'), pause=True)
    queue = get_queue(job.queue_name)

    def task():
        return RQJob.fetch(str(job.job_id), connection=queue.connection, serializer=queue.serializer)

    assert task().get_status() == JobStatus.QUEUED
    assert task().get_position() == 0
    start_worker(*kind, **SETTINGS)
    wait_for(lambda: task().meta.get('processed') == 1, what='the report of the first device')
    wait_for(lambda: task().get_status() == JobStatus.STARTED, what='the status in RQ')
    Device.objects.create(name='proceed')
    wait_for(lambda: status(job) == 'completed', what='the end')

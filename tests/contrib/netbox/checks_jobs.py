"""The plugin's jobs, run in this process."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from netbox_jobs.core.registry import system_jobs
from netbox_jobs.models import Job
from tests.contrib.netbox.inventory import signals
from tests.contrib.netbox.inventory.jobs import (
    BackupHousekeeping,
    BackupRunner,
    ImportRunner,
    ReconcileJob,
    RetentionJob,
    SyncDeviceJob,
)
from tests.contrib.netbox.inventory.models import Device

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def user():
    return get_user_model().objects.create(username='u')


def fresh(job):
    return Job.objects.get(pk=job.pk)


def messages(job):
    return [entry['message'] for entry in fresh(job).log_entries]


def test_a_job_about_an_object_runs_in_the_queue_that_its_model_is_mapped_to(work, user):
    device = Device.objects.create(name='switch')
    job = SyncDeviceJob.enqueue_sync(device, user=user)
    assert (job.name, job.queue_name, job.notifications, job.job_timeout) == (
        'Device sync: switch',
        'low',
        'on_failure',
        300,
    )
    assert SyncDeviceJob.enqueue_sync(device, user=user) == job
    work()
    assert (fresh(job).status, fresh(job).data) == ('completed', {'as': 'u'})
    assert messages(job) == ['Reading switch from https://inventory.example']
    device.refresh_from_db()
    assert (device.status, device.job) == ('seen', job)
    assert device.jobs.get() == job
    assert device.get_latest_jobs().get() == job


def test_a_bare_job_failed_fails_the_job_and_keeps_what_was_written_to_it(work):
    job = SyncDeviceJob.enqueue_sync(Device.objects.create(name='unreachable'))
    signals.seen.clear()
    work()
    assert (fresh(job).status, fresh(job).data) == ('failed', {'as': None})
    assert messages(job)[-1] == 'It does not answer'
    assert signals.seen == [('start', job.name), ('failed', job.name)]


def test_system_jobs_of_the_plugin_are_those_that_a_worker_schedules():
    assert {
        runner: system_jobs[runner] for runner in (BackupRunner, BackupHousekeeping, ReconcileJob, RetentionJob)
    } == {
        BackupRunner: {'interval': 5},
        BackupHousekeeping: {'interval': 120},
        ReconcileJob: {'interval': 60},
        RetentionJob: {'interval': 1440},
    }


def test_a_system_job_enqueues_others_and_changes_its_own_interval(work):
    Device.objects.create(name='switch')
    job = ReconcileJob.enqueue_once(interval=60)
    work()
    assert fresh(job).status == 'completed'
    assert messages(job) == ['Enqueued a sync of switch in low']
    following = ReconcileJob.get_jobs().waiting().get()
    assert following.interval == 5
    assert SyncDeviceJob.get_jobs().get().status == 'completed'


def test_an_overridden_handle_runs_jobs_that_are_still_enqueued(work, user):
    job = ImportRunner.enqueue(user=user, names=['a', 'b'])
    work()
    assert (fresh(job).status, fresh(job).data) == (
        'completed',
        {'phase': 'completed', 'job_type': 'inventory.import', 'processed': 2},
    )
    assert Device.objects.count() == 2


def test_data_that_was_saved_before_a_bare_job_failed_is_kept(work):
    job = ImportRunner.enqueue(names=['a'])
    work()
    assert (fresh(job).status, fresh(job).data['message']) == ('failed', 'The user of this import is gone.')


def test_a_transaction_that_is_aborted_leaves_the_log(work, user):
    job = ImportRunner.enqueue(user=user, names=['a'], dry_run=True)
    work()
    assert fresh(job).status == 'completed'
    assert messages(job) == ['Dry run: rolled back']
    assert not Device.objects.exists()


def test_the_data_of_a_job_is_found_by_its_keys(work, user):
    ImportRunner.enqueue(user=user, names=[])
    work()
    assert ImportRunner.get_jobs().filter(user=user, data__job_type=ImportRunner.job_type).count() == 1


def test_data_that_is_changed_in_place_is_stored_whatever_the_end(work):
    device, broken = (Device.objects.create(name=name) for name in ('switch', 'broken'))
    good, bad = BackupRunner.enqueue(device=device), BackupRunner.enqueue(device=broken)
    work()
    assert (fresh(good).status, fresh(good).data) == ('completed', {'status': {'completed': 1}, 'frequency': 3600})
    assert (fresh(bad).status, fresh(bad).data) == ('errored', {'status': {'scheduled': 1}})
    assert fresh(bad).error == "RuntimeError('No backup')"


def test_a_job_looks_after_other_jobs_of_the_plugin(work):
    stale = BackupRunner.enqueue(schedule_at=timezone.now() - timedelta(hours=1))
    job = BackupHousekeeping.enqueue(immediate=True)
    assert messages(job) == ['1 stale jobs']
    assert not Job.objects.filter(pk=stale.pk).exists()
    assert BackupRunner.get_jobs().get().status == 'scheduled'

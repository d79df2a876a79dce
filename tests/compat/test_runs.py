"""What runners in the style of plugins do with their data, arguments and errors."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from netbox_jobs.core.registry import system_jobs
from netbox_jobs.models import Job, Schedule
from tests.app.jobs import (
    Attaching,
    Detailing,
    Plain,
)
from tests.app.models import Thing
from tests.compat import (
    branch_merge,
    bulk_import,
    dashboard_refresh,
    device_backup,
    inventory_sync,
    messages,
    owner_notice,
    parallel_fetch,
    retention,
    scan_scheduler,
    scheduled_sync,
    script_runner,
)
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_runner_that_saves_its_data_itself(run):
    source = Thing.objects.create(name='source')
    job = run(inventory_sync.InventorySyncJob, instance=source)
    assert (job.status, job.name) == ('completed', 'Inventory synchronization')
    assert job.data == {'created': 2, 'updated': 6, 'source': source.pk}
    assert messages(job) == ['Synchronizing source', 'Created 2, updated 6']
    assert [found.pk for found in source.jobs.all()] == [job.pk]


def test_a_runner_that_never_saves_keeps_its_data_when_it_fails(run):
    job = run(device_backup.SwitchBackupJob, hosts=['a', 'down-b'])
    assert (job.status, job.name) == ('failed', 'Switch backup')
    assert job.error == '1 of 2 hosts could not be reached'
    assert job.data == {'saved': ['config of a'], 'unreachable': ['down-b']}
    assert [entry['level'] for entry in job.log_entries] == ['warning']


def test_a_runner_that_raises_the_class_jobfailed(run):
    job = run(device_backup.StrictBackupJob, hosts=['a'])
    assert (job.status, job.error, job.name) == ('failed', '', 'Backup base')


@pytest.mark.parametrize(('dry_run', 'made'), [(False, ['one', 'two']), (True, [])])
def test_rich_arguments_and_a_transaction_taken_back(run, dry_run, made):
    owner = Thing.objects.create(name='owner')
    when = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    job = run(bulk_import.BulkImportJob, rows={1: 'one', 2: 'two'}, valid_from=when, owner=owner, dry_run=dry_run)
    assert job.data == {'names': ['one', 'two'], 'from': '2026-01-02T03:04:00+00:00', 'owner': 'owner'}
    assert job.status == 'completed'
    assert list(Thing.objects.exclude(pk=owner.pk).order_by('pk').values_list('name', flat=True)) == made
    assert messages(job)[:2] == ['row 1', 'row 2']


def test_a_system_job_that_enqueues_a_job_for_each_object(run, work, user):
    things = [Thing.objects.create(name=f'scan {number}') for number in range(2)]
    scan_scheduler.ScanJob.enqueue(instance=things[0], queue_name='low', data={'target': 'x'})
    assert system_jobs[scan_scheduler.ScanSchedulerJob] == {'interval': 1}
    job = run(scan_scheduler.ScanSchedulerJob, user=user, queue_name='high')
    assert (job.status, job.data) == ('completed', {'started': 1})
    scan = scan_scheduler.ScanJob.get_jobs(things[1]).get()
    work()
    assert status(scan) == 'completed'
    assert (scan.name, scan.user, scan.queue_name, scan.job_timeout) == (
        'Scan of scan 1', user, 'tests.app.bulk', 1800,
    )  # fmt: skip
    assert scan.data == {'hosts': ['scan 1-0', 'scan 1-1', 'scan 1-2'], 'committed': True}


def test_a_decorator_that_is_called_and_a_run_without_arguments(run):
    old = Job.objects.create(name='old', status='completed')
    Job.objects.filter(pk=old.pk).update(created=timezone.now() - timedelta(days=31))
    assert system_jobs[retention.RetentionJob] == {'interval': 1440}
    job = run(retention.RetentionJob)
    assert (job.status, job.data) == ('completed', {'deleted': 1})
    assert list(Job.objects.all()) == [job]


@pytest.mark.parametrize(('commit', 'ending'), [(True, 'completed'), (False, 'errored')])
def test_a_runner_that_collects_lines_in_its_data(run, commit, ending):
    job = run(branch_merge.MergeBranchJob, instance=Thing.objects.create(name='main'), commit=commit)
    assert job.status == ending
    assert job.data == {'log': ['Merging main', 'timeout 3600']}
    assert job.job_timeout == 3600


def test_a_job_whose_object_is_gone_can_say_so(work):
    thing = Thing.objects.create()
    job = scheduled_sync.ScheduledSyncJob.enqueue(instance=thing)
    Thing.objects.filter(pk=thing.pk)._raw_delete('default')
    work()
    assert status(job) == 'completed'
    assert messages(job) == [f'Its object ({thing.pk}) does not exist any more']


@pytest.mark.parametrize(
    ('data', 'commit', 'ending', 'log', 'made'),
    [
        ({}, True, 'completed', ['created'], 1),
        ({}, False, 'completed', ['created', 'rolled back'], 0),
        ({'abort': 'no'}, True, 'errored', ['created'], 0),
    ],
)
def test_a_script_in_a_transaction_that_it_may_abort(run, user, data, commit, ending, log, made):
    script = Thing.objects.create(name='script')
    request = script_runner.CopiedRequest(user=user)
    job = run(script_runner.ScriptJob, instance=script, user=user, data=data, request=request, commit=commit)
    assert (job.status, job.data['log']) == (ending, log)
    assert job.data['output'] == ('script for ada' if ending == 'completed' else None)
    assert Thing.objects.filter(name='by script').count() == made


def test_a_runner_that_works_in_threads_of_asyncio(run):
    job = run(parallel_fetch.ParallelFetchJob, urls=['a', 'bb', 'ccc'])
    assert (job.status, job.data) == ('completed', {'a': 1, 'bb': 2, 'ccc': 3})
    assert sorted(messages(job)) == ['fetched a', 'fetched bb', 'fetched ccc']


@pytest.mark.parametrize(
    ('notifications', 'fail', 'told'),
    [
        ('always', False, [('ada', 'completed')]),
        ('on_failure', False, []),
        ('on_failure', True, [('ada', 'errored')]),
        ('never', True, []),
    ],
)
def test_a_receiver_that_tells_the_owner(run, user, notifications, fail, told):
    owner_notice.connect()
    try:
        run(owner_notice.NoticedJob, user=user, notifications=notifications, fail=fail)
        assert owner_notice.told == told
    finally:
        owner_notice.disconnect()
        owner_notice.told.clear()


@pytest.mark.parametrize('broken', [False, True])
def test_a_runner_that_stores_its_data_whatever_happens(run, broken):
    job = run(dashboard_refresh.DashboardRefreshJob, broken=broken)
    assert (job.status, job.data) == ('errored' if broken else 'completed', {'lines': ['about None']})
    assert not broken or 'no such dashboard' in job.error


def test_deleting_what_waits_by_a_queryset_ends_the_recurrence(work):
    dashboard_refresh.start()
    work()
    assert sorted(Job.objects.values_list('status', 'interval')) == [('completed', 120), ('scheduled', 120)]
    dashboard_refresh.end()
    work()
    assert [job.status for job in Job.objects.all()] == ['completed'] and not Schedule.objects.exists()


def test_a_runner_may_say_in_its_run_what_its_job_is_about(run):
    thing = Thing.objects.create()
    job = run(Attaching, about=thing)
    assert (job.status, job.object, job.name) == ('completed', thing, 'about it')
    assert [found.pk for found in thing.jobs.all()] == [job.pk]


def test_the_error_that_run_has_set_stands_before_the_message_of_its_failure(run):
    job = run(Detailing, message='short')
    assert (job.status, job.error) == ('failed', 'what went wrong, at length')
    assert messages(job) == ['short']
    assert run(Detailing, message='at length').log_entries == []


def test_an_error_that_is_no_text_is_one_nevertheless(run):
    job = run(Detailing, message='short', error=ValueError('odd'))
    assert (job.status, job.error) == ('failed', 'odd')


def test_p8_an_argument_may_not_be_called_job():
    with pytest.raises(TypeError, match='job is the name'):
        Plain.enqueue(job=5)
    assert not Job.objects.exists()

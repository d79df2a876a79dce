"""Job modules in the style of NetBox's plugins run unchanged but for their imports; see `tests/compat/`."""

from datetime import UTC, datetime, timedelta
from unittest.mock import MagicMock, patch

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction
from django.test import TestCase
from django.utils import timezone

from netbox_jobs.broker import delivery
from netbox_jobs.choices import JobStatusChoices
from netbox_jobs.core.registry import system_jobs
from netbox_jobs.exceptions import JobFailed
from netbox_jobs.jobs import JobRunner
from netbox_jobs.maintenance import recovery
from netbox_jobs.models import Job
from tests.app.jobs import (
    Attaching,
    Detailing,
    Plain,
    TakingAll,
    function_with_another_name,
    function_with_job_by_name,
    function_with_job_last,
)
from tests.app.models import Thing
from tests.compat import (
    adaptive_polling,
    atomic_handle,
    branch_merge,
    bulk_import,
    change_tracking,
    declared_status,
    device_backup,
    inventory_sync,
    legacy_tasks,
    owner_notice,
    parallel_fetch,
    pipeline,
    provider_sync,
    report_function,
    retention,
    scan_scheduler,
    scheduled_sync,
    script_runner,
    self_managed,
)
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=['worker', 'immediate'])
def run(request, work):
    """Enqueue and run a job in both ways: through a worker, and here and now."""

    def _run(runner, *args, **kwargs):
        job = runner.enqueue(*args, immediate=request.param == 'immediate', **kwargs)
        if request.param == 'worker':
            assert job.status == 'pending'
            work()
        return Job.objects.get(pk=job.pk)

    return _run


@pytest.fixture
def user(django_user_model):
    return django_user_model.objects.create(username='somebody')


def messages(job):
    return [entry['message'] for entry in job.log_entries]


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


def test_a_runner_that_wraps_handle(run, user):
    request = script_runner.CopiedRequest(user=user, POST={'a': ['1']})
    job = run(change_tracking.TrackedJob, field='x', request=request, more=1)
    assert (job.status, job.data) == ('completed', {'field': 'x', 'by': 'somebody', 'else': ['more']})
    assert change_tracking.acting_user.get() == 'nobody'


def test_a_runner_with_an_enqueue_of_its_own(run, user):
    account = Thing.objects.create()
    job = run(provider_sync.ProviderSyncJob, account_pk=account.pk)
    assert (job.status, job.queue_name, job.job_timeout) == ('completed', 'tests.app.work', 7200)
    assert job.notifications == 'on_failure'
    first, created = provider_sync.ProviderSyncJob.enqueue_for_account(account, user=user)
    assert (created, first.name, first.user) == (True, f'Provider sync [{account.pk}]', user)
    assert provider_sync.ProviderSyncJob.enqueue_for_account(account) == (first, False)


@pytest.mark.parametrize(('how', 'ending'), [('well', 'completed'), ('badly', 'failed'), ('worse', 'errored')])
def test_a_runner_that_manages_itself_has_one_successor(run, how, ending):
    thing = Thing.objects.create()
    job = run(self_managed.SelfManagedJob, instance=thing, interval=10, how=how, job_timeout=99)
    assert job.status == ending
    following = self_managed.SelfManagedJob.get_jobs(thing).exclude(pk=job.pk).get()
    assert (following.status, following.interval, following.predecessor_id) == ('scheduled', 10, job.pk)
    assert following.get_arguments() == {'how': how}
    if how == 'worse':
        assert job.data == {'traceback': "KeyError: 'not expected'"}


@pytest.mark.parametrize('interval', [None, 10])
@pytest.mark.parametrize('how', ['completed', 'errored', 'failed'])
def test_a_runner_that_assigns_its_jobs_status_ends_as_its_run_did(run, how, interval):
    job = run(declared_status.PeeringJob, how=how, interval=interval)
    assert (job.status, job.data) == (how, {'how': how})
    assert Job.objects.exclude(pk=job.pk).count() == (1 if interval else 0)


@pytest.mark.parametrize('interval', [None, 10])
@pytest.mark.parametrize(
    ('how', 'ending', 'data', 'made'),
    [
        ('well', 'completed', {'result': 'well'}, 1),
        ('early', 'errored', {'reverted': 'too early'}, 0),
        ('late', 'errored', {'reverted': 'too late'}, 0),
    ],
)
def test_a_runner_that_ends_its_job_in_the_transaction_of_its_run(run, how, ending, data, made, interval):
    job = run(atomic_handle.AtomicJob, how=how, interval=interval)
    assert (job.status, job.data, Thing.objects.count()) == (ending, data, made)
    following = Job.objects.exclude(pk=job.pk)
    assert [(found.status, found.predecessor_id) for found in following] == [('scheduled', job.pk)] * bool(interval)


@pytest.mark.parametrize('runner', [atomic_handle.AtomicJob, atomic_handle.LastWordJob, atomic_handle.WrappingJob])
@pytest.mark.parametrize(('how', 'made', 'ending'), [
    ('well', 1, 'completed'), ('cut', 0, 'errored'), ('swallowed', 0, 'errored'),
])  # fmt: skip
def test_a_job_whose_work_was_rolled_back_is_not_completed(run, runner, how, made, ending):
    job = run(runner, how=how)
    assert (Thing.objects.count(), job.status) == (made, ending)
    assert bool(job.error) == (ending == 'errored')


@pytest.mark.parametrize(('how', 'ending'), [('well', 'completed'), ('late', 'errored')])
def test_an_end_that_was_rolled_back_is_none(run, how, ending):
    job = run(atomic_handle.LastWordJob, how=how)
    assert (job.status, Thing.objects.count()) == (ending, int(ending == 'completed'))
    assert ("RuntimeError('too late')" in job.error) == (how == 'late')


@pytest.mark.parametrize(('changes', 'interval'), [(0, 40), (3, 1)])
def test_a_runner_that_moves_its_next_occurrence(run, changes, interval):
    job = run(adaptive_polling.PollingJob, interval=20, changes=changes)
    assert (job.status, job.interval) == ('completed', interval)
    following = adaptive_polling.PollingJob.get_jobs().waiting().get()
    assert following.interval == interval
    assert following.scheduled - job.started == timedelta(minutes=interval) or interval == 1


def test_a_models_save_that_keeps_a_schedule(work):
    thing = Thing.objects.create(name='site')
    first = scheduled_sync.on_save(thing, interval=60)
    again = scheduled_sync.on_save(thing, interval=120)
    assert (again.pk, again.interval, again.queue_name) == (first.pk, 120, 'low')
    work()
    assert (status(first), first.data) == ('completed', {'synced': 'site'})
    assert scheduled_sync.ScheduledSyncJob.get_jobs(thing).waiting().get().queue_name == 'low'
    assert scheduled_sync.on_save(thing, interval=None) is None
    assert not scheduled_sync.ScheduledSyncJob.get_jobs(thing).waiting().exists()


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
    assert job.data['output'] == ('script for somebody' if ending == 'completed' else None)
    assert Thing.objects.filter(name='by script').count() == made


@pytest.mark.parametrize(
    ('function', 'given', 'data'),
    [
        (report_function.generate_report, {'lines': 3}, {'lines': 3, 'object': 'thing'}),
        (report_function.Reports.weekly, {}, 'weekly'),
        (report_function.Reports.monthly, {}, 'monthly by Reports'),
    ],
)
@pytest.mark.parametrize('immediate', [False, True])
def test_functions_instead_of_a_class(work, function, given, data, immediate):
    job = Job.enqueue(function, instance=Thing.objects.create(), name='Report', immediate=immediate, **given)
    work()
    assert (status(job), job.data, job.name) == ('completed', data, 'Report')


def test_a_function_that_ends_its_job_as_errored(work):
    job = Job.enqueue(report_function.generate_report)
    work()
    assert (status(job), job.error) == ('errored', "missing argument 'lines'")


def test_a_runner_that_works_in_threads_of_asyncio(run):
    job = run(parallel_fetch.ParallelFetchJob, urls=['a', 'bb', 'ccc'])
    assert (job.status, job.data) == ('completed', {'a': 1, 'bb': 2, 'ccc': 3})
    assert sorted(messages(job)) == ['fetched a', 'fetched bb', 'fetched ccc']


def test_stages_that_depend_on_each_other(work, user):
    collect, publish = pipeline.enqueue_pipeline([1, 2, 3], user=user)
    assert (collect.queue_name, publish.queue_name) == ('default', 'high')
    work()
    work()
    assert (status(collect), status(publish)) == ('completed', 'completed')
    assert publish.data == {'published': 6}


def test_rows_made_by_hand_for_functions_of_rq(work):
    job = legacy_tasks.start_task(Thing.objects.create())
    assert recovery.redeliver_vanished() == 0
    work()
    assert (status(job), job.data) == ('completed', {'done': True})


@pytest.mark.parametrize(
    ('notifications', 'fail', 'told'),
    [
        ('always', False, [('somebody', 'completed')]),
        ('on_failure', False, []),
        ('on_failure', True, [('somebody', 'errored')]),
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


class Simple(JobRunner):
    """The runner of a plugin's tests."""

    class Meta:
        name = 'Simple'

    def run(self, *args, **kwargs):
        if kwargs.get('make_fail'):
            raise JobFailed
        for level in ('debug', 'info', 'warning', 'error'):
            getattr(self.logger, level)(f'{level} message')


class AsPluginsTestTest(TestCase):
    """What plugins assert in their own tests, in the transaction of a TestCase."""

    def setUp(self):
        self.thing = Thing.objects.create(name='tested')

    def in_weeks(self, weeks=1):
        return timezone.now() + timedelta(weeks=weeks)

    def test_immediate(self):
        job = Simple.enqueue(immediate=True)
        self.assertEqual(job.status, JobStatusChoices.STATUS_COMPLETED)
        self.assertEqual([entry['level'] for entry in job.log_entries], ['debug', 'info', 'warning', 'error'])
        self.assertEqual(job.log_entries[3]['message'], 'error message')

    def test_immediate_failed(self):
        job = Simple.enqueue(immediate=True, make_fail=True)
        self.assertEqual(job.status, JobStatusChoices.STATUS_FAILED)

    def test_immediate_errored(self):
        class Errored(Simple):
            error = ValueError('Test error')

            def run(self, *args, **kwargs):
                raise self.error

        job = Errored.enqueue(immediate=True)
        self.assertEqual(job.status, JobStatusChoices.STATUS_ERRORED)
        self.assertEqual(job.error, repr(Errored.error))
        self.assertEqual(len(job.log_entries), 1)
        self.assertEqual(job.log_entries[0]['level'], 'error')
        self.assertIn('Traceback', job.log_entries[0]['message'])

    def test_each_enqueue_is_a_job(self):
        for count in (1, 2):
            job = Simple.enqueue(self.thing, schedule_at=self.in_weeks())
            self.assertIsInstance(job, Job)
            self.assertEqual(Simple.get_jobs(self.thing).count(), count)

    def test_enqueue_once_twice_is_one_job(self):
        when = self.in_weeks()
        first = Simple.enqueue_once(self.thing, schedule_at=when)
        self.assertEqual(first.name, 'Simple')
        self.assertEqual(Simple.enqueue_once(self.thing, schedule_at=when), first)
        self.assertEqual(Simple.enqueue_once(self.thing), first)
        self.assertEqual(Simple.get_jobs(self.thing).count(), 1)

    def test_enqueue_once_with_another_time_or_interval_leaves_one_job(self):
        Simple.enqueue_once(self.thing, schedule_at=self.in_weeks())
        later = self.in_weeks(2)
        job = Simple.enqueue_once(self.thing, schedule_at=later, interval=60)
        self.assertEqual((job.scheduled, job.interval), (later, 60))
        self.assertEqual(Simple.get_jobs(self.thing).count(), 1)

    def test_enqueue_beside_enqueue_once(self):
        Simple.enqueue_once(self.thing, schedule_at=self.in_weeks(2))
        Simple.enqueue(self.thing, schedule_at=self.in_weeks())
        self.assertEqual(Simple.get_jobs(self.thing).count(), 2)

    def test_deleting_a_job(self):
        job = Simple.enqueue(schedule_at=self.in_weeks())
        job.delete()
        self.assertRaises(Job.DoesNotExist, job.refresh_from_db)
        self.assertRaises(Job.DoesNotExist, Job.objects.get, job_id=job.job_id)
        self.assertEqual(Simple.get_jobs().count(), 0)

    def test_a_periodic_job_run_here_has_one_successor(self):
        job = Simple.enqueue(immediate=True, interval=60)
        waiting = Job.objects.filter(name='Simple', status__in=JobStatusChoices.ENQUEUED_STATE_CHOICES, interval=60)
        self.assertEqual(waiting.count(), 1)
        self.assertAlmostEqual(waiting.get().scheduled, job.started + timedelta(hours=1), delta=timedelta(seconds=5))

    def test_handle_of_a_row_made_by_hand(self):
        job = Job.objects.create(name='Simple', object=self.thing, interval=60, status='completed')
        with patch.object(Simple, 'run'):
            Simple.handle(job)
        self.assertEqual(Simple.get_jobs(self.thing).waiting().count(), 1)

    def test_run_alone_with_a_mock_for_the_job(self):
        job = MagicMock()
        job.object = self.thing
        inventory_sync.InventorySyncJob(job).run()
        self.assertEqual(job.data['source'], self.thing.pk)
        job.save.assert_called_once_with(update_fields=['data'])

    def test_a_runner_replaced_by_a_mock_is_asked_for_what_the_view_wants(self):
        with patch.object(Simple, 'enqueue') as enqueue:
            Simple.enqueue(instance=self.thing, user=None)
        enqueue.assert_called_once_with(instance=self.thing, user=None)

    def test_commit_callbacks_deliver(self):
        queue = delivery.queue('default')
        with self.captureOnCommitCallbacks(execute=True) as callbacks:
            first, once = Simple.enqueue(), Simple.enqueue_once()
            self.assertEqual(queue.job_ids, [])
        self.assertEqual(queue.job_ids, [str(first.job_id), str(once.job_id)])
        self.assertGreaterEqual(len(callbacks), 2)

    def test_signals_come_with_the_commit_callbacks(self):
        owner_notice.connect()
        self.addCleanup(owner_notice.disconnect)
        self.addCleanup(owner_notice.told.clear)
        owner = get_user_model().objects.create(username='owner')
        with self.captureOnCommitCallbacks(execute=True):
            owner_notice.NoticedJob.enqueue(immediate=True, user=owner)
            self.assertEqual(owner_notice.told, [])
        self.assertEqual(owner_notice.told, [('owner', 'completed')])

    def test_an_immediate_job_within_a_savepoint_that_is_rolled_back(self):
        with self.assertRaises(RuntimeError), transaction.atomic():
            Simple.enqueue(immediate=True)
            raise RuntimeError
        self.assertEqual(Simple.get_jobs().count(), 0)


@pytest.mark.parametrize(
    ('function', 'given', 'data'),
    [
        (function_with_job_last, {'word': 'x'}, {'word': 'x', 'more': None}),
        (function_with_job_by_name, {'word': 'x'}, {'word': 'x'}),
        (function_with_another_name, {'word': 'x'}, {'word': 'x'}),
        (TakingAll.handle, {'word': 'x'}, ['seen', 'x']),
    ],
)
@pytest.mark.parametrize('immediate', [False, True])
def test_a_job_is_passed_by_its_name_wherever_that_stands(work, function, given, data, immediate):
    job = Job.enqueue(function, immediate=immediate, **given)
    work()
    assert (status(job), Job.objects.get(pk=job.pk).data) == ('completed', data)


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

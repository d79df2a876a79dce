"""What plugins assert in their own tests."""

from datetime import timedelta
from unittest.mock import MagicMock, patch

from django.contrib.auth import get_user_model
from django.db import transaction
from django.test import TestCase
from django.utils import timezone

from netbox_jobs.broker import delivery
from netbox_jobs.choices import JobStatusChoices
from netbox_jobs.exceptions import JobFailed
from netbox_jobs.jobs import JobRunner
from netbox_jobs.models import Job
from tests.app.models import Thing
from tests.compat import (
    inventory_sync,
    owner_notice,
)


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

"""How to test a plugin's jobs: with `netbox_jobs.testing`, which needs no Redis."""

from datetime import timedelta
from typing import Any
from unittest import mock

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import SimpleTestCase, TestCase
from django.urls import reverse
from django.utils import timezone

from example_plugin import remote
from example_plugin.housekeeping import PurgeRecordsJob
from example_plugin.jobs import SyncSourceJob
from example_plugin.models import Record, Source
from example_plugin.tests import source_server
from example_plugin.tests.source_server import LARGE, SourceServer
from netbox_jobs.choices import JobStatusChoices
from netbox_jobs.exceptions import JobFailed
from netbox_jobs.models import Job
from netbox_jobs.testing import assert_enqueued, assert_not_enqueued, job_runner, run_jobs


class SyncSourceTest(TestCase):
    def setUp(self) -> None:
        self.enterContext(mock.patch.object(source_server, 'THINKING', 0))
        self.site = self.enterContext(SourceServer())

    def sync(self, path: str) -> tuple[Source, Job]:
        source = Source.objects.create(name=path, url=self.site + path)
        return source, SyncSourceJob.enqueue(instance=source, immediate=True)

    def test_records_are_stored_and_counted(self) -> None:
        source, job = self.sync('/shop')
        self.assertEqual(job.status, JobStatusChoices.STATUS_COMPLETED, job.error)
        self.assertEqual(job.data, {'received': 12, 'created': 12})
        self.assertEqual(source.records.count(), 12)
        self.assertEqual(job.log_entries[1]['message'], 'Stored page 1 with 12 records')

    def test_a_source_that_counts_its_records_is_read_page_by_page(self) -> None:
        source, job = self.sync('/large')
        self.assertEqual(job.data, {'received': LARGE, 'created': LARGE})
        self.assertEqual(source.records.count(), LARGE)
        assert job.progress is not None
        self.assertEqual((job.progress.current, job.progress.total, job.progress.percent), (LARGE, LARGE, 100))

    def test_a_record_without_a_value_is_stored_and_warned_of(self) -> None:
        source, job = self.sync('/large')
        warnings = [line['message'] for line in job.log_entries if line['level'] == 'warning']
        self.assertIn('large-059 has no value', warnings)
        self.assertTrue(source.records.filter(key='large-059').exists())

    def test_a_second_sync_creates_nothing_new(self) -> None:
        source, _ = self.sync('/shop')
        job = SyncSourceJob.enqueue(instance=source, immediate=True)
        self.assertEqual(job.data, {'received': 12, 'created': 0})

    def test_a_source_that_refuses_fails_the_job(self) -> None:
        _, job = self.sync('/gone')
        self.assertEqual(job.status, JobStatusChoices.STATUS_FAILED)
        self.assertIn('404', job.error)

    def test_a_source_that_serves_no_json_fails_the_job(self) -> None:
        _, job = self.sync('/text')
        self.assertEqual(job.status, JobStatusChoices.STATUS_FAILED)
        self.assertIn('does not serve JSON', job.error)

    def test_a_bad_url_fails_the_job(self) -> None:
        for url, words in (
            ('htp:/nowhere', 'not an http or https URL'),
            ('http://127.0.0.1:9/a b', 'cannot be read'),
            ('http://127.0.0.1:port/', 'cannot be read'),
            ('http://[::1', 'cannot be read'),
        ):
            with self.subTest(url):
                source = Source.objects.create(name=url, url=url)
                job = SyncSourceJob.enqueue(instance=source, immediate=True)
                self.assertEqual(job.status, JobStatusChoices.STATUS_FAILED)
                self.assertIn(words, job.error)

    def test_a_record_that_breaks_our_assumptions_is_an_error(self) -> None:
        source, job = self.sync('/odd')
        self.assertEqual(job.status, JobStatusChoices.STATUS_ERRORED)
        self.assertEqual(job.error, "KeyError('key')")
        self.assertEqual(source.records.count(), 0)

    def test_an_answer_that_breaks_off_or_is_no_http_may_be_better_the_next_time(self) -> None:
        for path in ('/broken-off', '/babble'):
            with self.subTest(path), self.assertRaises(remote.SourceUnavailable):
                list(remote.pages(self.site + path, timeout=5))


class RetryTest(TestCase):
    def setUp(self) -> None:
        self.enterContext(mock.patch.object(source_server, 'THINKING', 0))
        site = self.enterContext(SourceServer())
        self.source = Source.objects.create(name='shop', url=f'{site}/down')

    def test_a_source_in_trouble_is_tried_again_and_fails_in_the_end(self) -> None:
        SyncSourceJob.enqueue(instance=self.source)
        (job,) = run_jobs()
        self.assertEqual((job.status, job.retries), (JobStatusChoices.STATUS_SCHEDULED, 1))
        self.assertIn('503', job.attempts.get().error)
        with self.assertRaisesRegex(JobFailed, '503'):
            run_jobs(until=timedelta(minutes=1))
        job.refresh_from_db()
        self.assertEqual((job.status, job.retries), (JobStatusChoices.STATUS_FAILED, 2))

    def test_a_source_that_refuses_is_not(self) -> None:
        self.source.url = self.source.url.replace('/down', '/gone')
        self.source.save()
        SyncSourceJob.enqueue(instance=self.source)
        (job,) = run_jobs(raise_errors=False)
        self.assertEqual((job.status, job.retries), (JobStatusChoices.STATUS_FAILED, 0))


class WithoutDatabaseTest(SimpleTestCase):
    def test_a_bad_url_is_an_expected_failure(self) -> None:
        with self.assertRaisesRegex(JobFailed, 'not an http or https URL'):
            job_runner(SyncSourceJob, instance=Source(name='shop', url='htp:/nowhere')).run()


class ScheduleTest(TestCase):
    def test_saving_a_source_schedules_it_once(self) -> None:
        source = Source.objects.create(name='shop', url='http://127.0.0.1:9/', sync_interval=60)
        source.save()
        self.assertEqual(SyncSourceJob.get_jobs(source).count(), 1)
        assert_enqueued(SyncSourceJob, instance=source, interval=60)

    def test_it_recurs_as_often_as_the_source_says(self) -> None:
        Source.objects.create(name='shop', url='http://127.0.0.1:9/', sync_interval=60)
        with mock.patch.object(SyncSourceJob, 'run', lambda runner: None):
            self.assertEqual(len(run_jobs(until=timedelta(hours=2, minutes=5))), 3)

    def test_a_changed_interval_changes_the_waiting_job(self) -> None:
        source = Source.objects.create(name='shop', url='http://127.0.0.1:9/', sync_interval=60)
        source.sync_interval = 5
        source.save()
        self.assertEqual(SyncSourceJob.get_jobs(source).get().interval, 5)

    def test_a_cleared_interval_ends_the_schedule(self) -> None:
        source = Source.objects.create(name='shop', url='http://127.0.0.1:9/', sync_interval=60)
        source.sync_interval = None
        source.save()
        assert_not_enqueued(SyncSourceJob, instance=source)

    def test_deleting_a_source_takes_its_jobs_along(self) -> None:
        source = Source.objects.create(name='shop', url='http://127.0.0.1:9/', sync_interval=60)
        source.delete()
        self.assertFalse(SyncSourceJob.get_jobs().exists())


class PurgeRecordsTest(TestCase):
    def test_only_what_was_not_seen_for_long_is_deleted(self) -> None:
        source = Source.objects.create(name='shop', url='http://127.0.0.1:9/')
        Record.objects.create(source=source, key='old', last_seen=timezone.now() - timedelta(days=31))
        Record.objects.create(source=source, key='new')
        job = PurgeRecordsJob.enqueue(immediate=True)
        self.assertEqual(job.data, {'deleted': 1})
        self.assertEqual(source.records.get().key, 'new')

    def test_many_are_deleted_only_if_an_administrator_approves_within_two_days(self) -> None:
        source = Source.objects.create(name='shop', url='http://127.0.0.1:9/')
        Record.objects.create(source=source, key='old', last_seen=timezone.now() - timedelta(days=31))
        with self.settings(PLUGINS_CONFIG={'example_plugin': {'ask_above': 0}}):
            not_approved = PurgeRecordsJob.enqueue()
            run_jobs(until=timedelta(days=3))
            self.assertEqual(source.records.count(), 1)
            approved = PurgeRecordsJob.enqueue()
            run_jobs()
            approved.signal('approved')
            run_jobs()
        for job, deleted in ((not_approved, 0), (approved, 1)):
            job.refresh_from_db()
            self.assertEqual(job.data, {'deleted': deleted})


class PagesTest(TestCase):
    def setUp(self) -> None:
        self.user = get_user_model().objects.create_user('user', password='password')
        self.source = Source.objects.create(name='<shop>', url='http://127.0.0.1:9/')

    def test_pages_need_a_login(self) -> None:
        response = self.client.get(reverse('example_plugin:sources'))
        self.assertEqual(response.status_code, 302)

    def test_sync_now_enqueues_a_job_for_the_user(self) -> None:
        self.client.force_login(self.user)
        response = self.client.post(reverse('example_plugin:sync', args=[self.source.pk]))
        self.assertRedirects(response, self.source.get_absolute_url())
        assert_enqueued(SyncSourceJob, instance=self.source, user=self.user, queue_name='example_plugin.sync')

    def test_sync_now_needs_a_post(self) -> None:
        self.client.force_login(self.user)
        self.assertEqual(self.client.get(reverse('example_plugin:sync', args=[self.source.pk])).status_code, 405)

    def sync(self, **kwargs: Any) -> Job:
        """A job that has failed: no server answers there."""
        return SyncSourceJob.enqueue(instance=self.source, immediate=True, **kwargs)

    def page(self, name: str, *arguments: Any) -> str:
        self.client.force_login(self.user)
        return self.client.get(reverse(f'example_plugin:{name}', args=arguments)).content.decode()

    def test_the_list_shows_each_source_with_its_latest_job(self) -> None:
        SyncSourceJob.enqueue(instance=self.source, user=self.user)
        self.sync(user=self.user)
        page = self.page('sources')
        self.assertIn('&lt;shop&gt;', page)
        self.assertIn('Failed', page)
        self.assertNotIn('Pending', page)

    def test_the_list_does_not_show_what_is_merely_scheduled(self) -> None:
        SyncSourceJob.enqueue(instance=self.source, user=self.user, schedule_at=timezone.now() + timedelta(days=1))
        self.assertNotIn('Scheduled', self.page('sources'))

    def test_the_source_shows_its_jobs_and_the_log_of_the_latest(self) -> None:
        self.sync(user=self.user)
        page = self.page('source', self.source.pk)
        self.assertIn('Fetching http://127.0.0.1:9/', page)
        self.assertIn('cannot be reached', page)

    def test_the_jobs_of_others_are_not_shown_without_permission(self) -> None:
        self.sync(user=get_user_model().objects.create_user('other'))
        for page in self.page('sources'), self.page('source', self.source.pk):
            self.assertNotIn('Failed', page)
            self.assertNotIn('Fetching', page)

    def test_with_permission_they_are(self) -> None:
        self.sync()
        self.user.user_permissions.add(Permission.objects.get(codename='view_job'))
        for page in self.page('sources'), self.page('source', self.source.pk):
            self.assertIn('Failed', page)

    def test_records_are_asked_for_again_only_while_a_job_runs(self) -> None:
        self.sync(user=self.user)
        self.assertNotIn('data-live-url', self.page('records', self.source.pk))
        SyncSourceJob.enqueue(instance=self.source, user=self.user)
        self.assertIn('data-live-url', self.page('records', self.source.pk))

    def test_a_new_source_is_added_by_the_form(self) -> None:
        self.client.force_login(self.user)
        self.client.post(
            reverse('example_plugin:add'), {'name': 'new', 'url': 'http://127.0.0.1:9/', 'sync_interval': '15'}
        )
        self.assertEqual(SyncSourceJob.get_jobs(Source.objects.get(name='new')).get().interval, 15)

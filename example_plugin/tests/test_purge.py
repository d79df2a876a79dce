"""The job that waits for an approval before it deletes."""

from datetime import timedelta

from django.test import TestCase
from django.utils import timezone

from example_plugin.jobs import PurgeSourceJob
from example_plugin.models import Source
from netbox_jobs.testing import run_jobs


class PurgeTest(TestCase):
    def setUp(self) -> None:
        self.source = Source.objects.create(name='Shop', url='https://example.com')
        old = timezone.now() - timedelta(days=31)
        for number in range(4):
            self.source.records.create(key=f'old {number}', last_seen=old)
        self.source.records.create(key='new')
        self.job = PurgeSourceJob.enqueue(instance=self.source)
        run_jobs()

    def test_old_records_are_deleted_when_it_was_approved_but_for_those_that_were_listed_again(self) -> None:
        self.assertEqual(self.source.records.count(), 5)
        self.source.store({'key': 'old 0'})
        self.job.signal('approved')
        run_jobs()
        self.job.refresh_from_db()
        self.assertEqual((self.job.status, self.job.data), ('completed', {'deleted': 3}))
        self.assertEqual(set(self.source.records.values_list('key', flat=True)), {'old 0', 'new'})

    def test_nothing_is_deleted_without_an_approval(self) -> None:
        run_jobs(until=timedelta(days=8), raise_errors=False)
        self.job.refresh_from_db()
        self.assertEqual(self.job.status, 'failed')
        self.assertEqual(self.source.records.count(), 5)

"""The workflow of the plugin: all sources are synced, and a report is made at the end."""

from django.contrib.auth import get_user_model
from django.test import TestCase
from django.urls import reverse

from example_plugin.jobs import SyncAllReportJob, SyncSourceJob
from example_plugin.models import Source
from example_plugin.tests.source_server import SourceServer
from netbox_jobs.models import Workflow
from netbox_jobs.testing import run_jobs


class SyncAllTest(TestCase):
    def test_the_report_counts_what_all_syncs_have_brought(self) -> None:
        site = self.enterContext(SourceServer())
        for path in '/shop', '/shop?again', '/gone':
            Source.objects.create(name=path, url=site + path)
        self.client.force_login(get_user_model().objects.create_user('user'))
        self.client.post(reverse('example_plugin:sync_all'))
        run_jobs(raise_errors=False)
        workflow = Workflow.objects.get()
        self.assertEqual((workflow.status, workflow.counts.failed), ('failed', 1))
        (report,) = SyncAllReportJob.get_jobs()
        received = sum(job.data['received'] for job in SyncSourceJob.get_jobs() if job.data)
        self.assertEqual(report.data, {'sources': 3, 'synced': workflow.counts.completed, 'received': received})
        self.assertGreater(received, 0)

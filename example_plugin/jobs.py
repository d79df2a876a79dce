"""The sync of a source. `models.py` imports this module to schedule it, so this one imports no models."""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from netbox_jobs.exceptions import JobFailed
from netbox_jobs.jobs import JobRunner, Limit, Rate
from netbox_jobs.plugins import get_plugin_config

from . import remote


class SourceDown(JobFailed):
    """The source could not be reached. Network trouble passes, so the worker retries the job: see `retry_on`."""


class SyncSourceJob(JobRunner):
    """Fetches a source's records and stores them. A second run updates the same records."""

    class Meta:
        name = 'Sync source'
        queue = 'example_plugin.sync'
        job_timeout = 600  # seconds
        retry_on = [SourceDown]
        max_retries = 2
        retry_backoff = [3, 10]  # seconds before the second and before the third attempt
        stop_grace = 10  # seconds in which a run that is stopped may finish its page
        limit = Limit(4)  # "Sync all" leaves workers for other jobs
        rate = Rate(100, per=60)  # and sources are not asked more often than that

    def run(self) -> None:
        source = self.job.object
        self.logger.info('Fetching %s', source.url)
        try:
            received, created = self._store_pages(source)
        except remote.SourceUnavailable as error:
            raise SourceDown(str(error)) from error
        except remote.SourceUnusable as error:
            # An expected failure of a remote source: the job is failed, and not errored. A retry would not help.
            raise JobFailed(str(error)) from error
        source.mark_synced()
        self.job.data = {'received': received, 'created': created}
        self.logger.info('Stored %d records; %d are new', received, created)

    def _store_pages(self, source: Any) -> tuple[int, int]:
        """Store page by page; returns how many records came, and how many were new."""
        received = created = 0
        for page in remote.pages(source.url, timeout=get_plugin_config('example_plugin', 'timeout')):
            with transaction.atomic():
                created += sum(source.store(record) for record in page.records)
            for record in page.records:
                if 'value' not in record:
                    self.logger.warning('%s has no value', record['key'])
            received += len(page.records)
            self.logger.info('Stored page %d with %d records', page.number, len(page.records))
            self.progress(received, page.total, 'Storing records')
            self.check_canceled()  # between two pages, so that a stopped job leaves whole pages
        return received, created


class SyncAllReportJob(JobRunner):
    """Reports what the sync of all sources has brought: the callback of the workflow that `SyncAllView` begins."""

    class Meta:
        name = 'Report of a sync of all sources'

    def run(self) -> None:
        counts = self.job.workflow.counts
        received = sum(data['received'] for data in self.results.values())
        self.job.data = {'sources': counts.total, 'synced': counts.completed, 'received': received}
        self.logger.info('%d of %d sources were synced, %d records came', counts.completed, counts.total, received)


class PurgeSourceJob(JobRunner):
    """Deletes the records that a source has not listed for a month, once somebody has approved that.

    `manage.py jobs signal ID approved` approves it; it waits for a week, and keeps no worker meanwhile.
    """

    class Meta:
        name = 'Purge source'
        api = True

    def run(self) -> None:
        stale = self.job.object.records.filter(last_seen__lt=timezone.now() - timedelta(days=30))
        keys = self.step('find', lambda: list(stale.values_list('pk', flat=True)))
        self.logger.info('%d records have not been listed for a month', len(keys))
        try:
            self.wait_for('approved', timeout=timedelta(days=7))
        except TimeoutError:
            raise JobFailed('Nobody has approved it within a week') from None
        with self.step('delete') as step:  # what it deletes and that it has done so are stored together
            if not step.done:
                step.result, _by_model = stale.filter(pk__in=keys).delete()  # not those that are listed again
        self.job.data = {'deleted': step.result}

"""The background jobs of the plugin."""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from netbox_jobs.exceptions import JobFailed
from netbox_jobs.jobs import JobRunner
from netbox_jobs.plugins import get_plugin_config

from . import remote
from .models import Record, Source


class SourceDown(JobFailed):
    """The source could not be reached just now. Network trouble passes, so the job is run again; see `retry_on`."""


class SyncSourceJob(JobRunner):
    """Fetches a source's records and stores them. It may run again at any time: the same records are updated."""

    class Meta:
        name = 'Sync source'
        queue = 'example_plugin.sync'
        job_timeout = 600  # seconds
        retry_on = [SourceDown]
        max_retries = 2
        retry_backoff = [3, 10]  # seconds before the second and before the third attempt
        stop_grace = 10  # seconds in which a run that is stopped may finish its page

    def run(self) -> None:
        source: Source = self.job.object
        self.logger.info('Fetching %s', source.url)
        try:
            received, created = self._store_pages(source)
        except remote.SourceUnavailable as error:
            raise SourceDown(str(error)) from error
        except remote.SourceUnusable as error:
            # To be expected with remote sources: the job is failed, and not errored. Another try would not help.
            raise JobFailed(str(error)) from error
        Source.objects.filter(pk=source.pk).update(last_synced=timezone.now())
        self.job.data = {'received': received, 'created': created}
        self.logger.info('Stored %d records; %d are new', received, created)

    def _store_pages(self, source: Source) -> tuple[int, int]:
        """Store page by page; returns how many records came, and how many were new."""
        received = created = 0
        for page in remote.pages(source.url, timeout=get_plugin_config('example_plugin', 'timeout')):
            with transaction.atomic():
                created += sum(self._store(source, record) for record in page.records)
            received += len(page.records)
            self.logger.info('Stored page %d with %d records', page.number, len(page.records))
            self.progress(received, page.total, 'Storing records')
            self.check_canceled()  # whoever stops the job finds whole pages
        return received, created

    def _store(self, source: Source, record: dict[str, Any]) -> bool:
        if 'value' not in record:
            self.logger.warning('%s has no value', record['key'])
        _, created = Record.objects.update_or_create(
            source=source, key=record['key'], defaults={'data': record, 'last_seen': timezone.now()}
        )
        return created


class PurgeRecordsJob(JobRunner):
    """Deletes records that their source has not shown for a while."""

    class Meta:
        name = 'Purge old records'
        queue = 'low'

    def run(self) -> None:
        days = get_plugin_config('example_plugin', 'keep_days')
        limit = timezone.now() - timedelta(days=days)
        deleted = 0
        for source in self.track(Source.objects.all(), message='Looking at sources'):
            found, _ = Record.objects.filter(source=source, last_seen__lt=limit).delete()
            deleted += found
        self.job.data = {'deleted': deleted}
        self.logger.info('Deleted %d records that were last seen more than %d days ago', deleted, days)

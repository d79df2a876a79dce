"""The background jobs of the plugin."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from netbox_jobs.exceptions import JobFailed
from netbox_jobs.jobs import JobRunner
from netbox_jobs.plugins import get_plugin_config

from . import remote
from .models import Record, Source


class SyncSourceJob(JobRunner):
    """Fetches a source's records and stores them. It may run again at any time: the same records are updated."""

    class Meta:
        name = 'Sync source'
        queue = 'example_plugin.sync'
        job_timeout = 120  # seconds

    def run(self) -> None:
        source: Source = self.job.object
        self.logger.info('Fetching %s', source.url)
        try:
            records = remote.fetch(source.url, timeout=get_plugin_config('example_plugin', 'timeout'))
        except remote.SourceUnavailable as error:
            # To be expected with remote sources: the job is failed, and not errored.
            raise JobFailed(str(error)) from error
        self.logger.info('Received %d records', len(records))
        with transaction.atomic():
            created = sum(self._store(source, record) for record in records)
            Source.objects.filter(pk=source.pk).update(last_synced=timezone.now())
        self.job.data = {'received': len(records), 'created': created}
        self.logger.info('Stored them; %d are new', created)

    @staticmethod
    def _store(source: Source, record: dict) -> bool:
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
        deleted, _ = Record.objects.filter(last_seen__lt=timezone.now() - timedelta(days=days)).delete()
        self.job.data = {'deleted': deleted}
        self.logger.info('Deleted %d records that were last seen more than %d days ago', deleted, days)

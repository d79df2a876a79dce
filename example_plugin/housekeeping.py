"""The nightly job of the plugin."""

from datetime import timedelta

from django.utils import timezone

from netbox_jobs.jobs import JobRunner
from netbox_jobs.plugins import get_plugin_config

from .models import Record, Source


class PurgeRecordsJob(JobRunner):
    """Deletes records that their source has not listed for `keep_days` days.

    If there are more than `ask_above`, an administrator has to approve: `manage.py jobs signal ID approved`.
    """

    class Meta:
        name = 'Purge old records'
        queue = 'low'

    def run(self) -> None:
        days = get_plugin_config('example_plugin', 'keep_days')
        limit = timezone.now() - timedelta(days=days)
        old = self.step('count', Record.objects.filter(last_seen__lt=limit).count)
        if old > get_plugin_config('example_plugin', 'ask_above'):
            self.logger.warning('%d records are old. Send the signal "approved" to have them deleted.', old)
            try:
                self.wait_for('approved', timeout=timedelta(days=2))
            except TimeoutError:
                self.job.data = {'deleted': 0}
                return
        deleted = 0
        for source in self.track(Source.objects.all(), message='Deleting old records'):
            found, _ = Record.objects.filter(source=source, last_seen__lt=limit).delete()
            deleted += found
        self.job.data = {'deleted': deleted}
        self.logger.info('Deleted %d records that were last seen more than %d days ago', deleted, days)

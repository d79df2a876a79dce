"""A mixin keeps lines that `run()` stores whatever happens; a function ends the recurrence by deleting what waits."""

import traceback

from netbox_jobs.choices import JobIntervalChoices
from netbox_jobs.jobs import JobRunner
from netbox_jobs.models import Job


class KeepsLines:
    def note(self, text):
        self.lines = [*getattr(self, 'lines', []), text]
        self.logger.info(text)

    def as_data(self):
        return {'lines': getattr(self, 'lines', [])}


class DashboardRefreshJob(KeepsLines, JobRunner):
    class Meta:
        name = 'Dashboard refresh'

    def run(self, *args, **kwargs):
        job: Job = self.job
        try:
            self.note(f'about {job.object}')
            if kwargs.get('broken'):
                raise LookupError('no such dashboard')
        except Exception:
            self.job.error = traceback.format_exc()
            raise
        finally:
            self.job.data = self.as_data()


def start():
    return DashboardRefreshJob.enqueue(interval=JobIntervalChoices.INTERVAL_HOURLY * 2)


def end():
    jobs = Job.objects.filter(name='Dashboard refresh', interval__isnull=False)
    jobs.filter(status='running').update(interval=None)
    jobs.filter(status__in=('pending', 'scheduled')).delete()

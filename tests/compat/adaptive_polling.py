"""Moves its own next occurrence, by what it finds."""

from netbox_jobs.choices import JobIntervalChoices
from netbox_jobs.jobs import JobRunner


class PollingJob(JobRunner):
    class Meta:
        name = 'Polling'

    def run(self, changes=0, **kwargs):
        if changes:
            self.job.interval = JobIntervalChoices.INTERVAL_MINUTELY
        else:
            self.job.interval = min(self.job.interval * 2, JobIntervalChoices.INTERVAL_DAILY)
            self.job.save()
        self.job.data = {'changes': changes}

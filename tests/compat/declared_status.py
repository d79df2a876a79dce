"""Says in `job.status` itself how its run went, as if that were enough."""

from netbox_jobs.choices import JobStatusChoices
from netbox_jobs.jobs import JobFailed, JobRunner


class PeeringJob(JobRunner):
    class Meta:
        name = 'Peering'

    def run(self, how, **kwargs):
        self.job.data = {'how': how}
        self.job.status = JobStatusChoices.STATUS_ERRORED
        if how == 'errored':
            raise ValueError(how)
        if how == 'failed':
            raise JobFailed(how)

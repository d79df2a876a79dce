"""Stages that depend on each other, each of them told of the stage before."""

from netbox_jobs.jobs import JobRunner


class CollectJob(JobRunner):
    class Meta:
        name = 'Collect'

    def run(self, numbers, **kwargs):
        self.job.data = {'sum': sum(numbers)}


class PublishJob(JobRunner):
    class Meta:
        name = 'Publish'
        queue = 'high'

    def run(self, previous, **kwargs):
        self.job.data = {'published': previous.data['sum']}


def enqueue_pipeline(numbers, user=None):
    collect = CollectJob.enqueue(numbers=numbers, user=user)
    return collect, PublishJob.enqueue(previous=collect, depends_on=collect, user=user)

"""The settings of the tests of contexts, and what runs there."""

from netbox_jobs.jobs import JobFailed, JobRunner
from netbox_jobs.maintenance import recovery
from netbox_jobs.models import Job
from tests.app.contexts import word

PATHS = {name: f'tests.app.contexts.{name}' for name in ('Word', 'House', 'Broken', 'Sticky', 'Nameless')}


class Heard(JobRunner):
    """Records what it runs in; fails once if its argument says so."""

    class Meta:
        max_retries = 2
        retry_backoff = (0,)
        retry_on = (JobFailed,)

    def run(self, fail=False, **kwargs):
        self.job.data = [*(self.job.data or []), word.get()]
        if fail and self.job.retries == 0:
            raise JobFailed('once')


def configure(settings, *names, **more):
    settings.NETBOX_JOBS = {'CONTEXT': [PATHS[name] for name in names], **more}


def run_due(work):
    Job.objects.filter(due__isnull=False).update(due=0)
    recovery.deliver_due()
    work()


def data(job):
    return Job.objects.values_list('data', flat=True).get(pk=job.pk)

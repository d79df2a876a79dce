"""Does in its own `handle()` all that the base class would do, including the next occurrence."""

import traceback
from datetime import timedelta

from django.utils import timezone

from netbox_jobs.choices import JobStatusChoices
from netbox_jobs.exceptions import JobFailed
from netbox_jobs.jobs import JobRunner


class SelfManagedJob(JobRunner):
    class Meta:
        name = 'Self-managed'

    @classmethod
    def handle(cls, job, *args, **kwargs):
        try:
            job.start()
            cls(job).run(*args, **kwargs)
            job.terminate()
        except JobFailed as error:
            job.terminate(status=JobStatusChoices.STATUS_FAILED, error=str(error))
        except Exception as error:
            job.data = {'traceback': traceback.format_exc().splitlines()[-1]}
            job.terminate(status=JobStatusChoices.STATUS_ERRORED, error=repr(error))
        finally:
            if job.interval:
                following = (job.scheduled or job.started) + timedelta(minutes=job.interval)
                cls.enqueue(
                    instance=job.object,
                    name=job.name,
                    user=job.user,
                    schedule_at=max(following, timezone.now() + timedelta(minutes=1)),
                    interval=job.interval,
                    **kwargs,
                )

    def run(self, how='well', **kwargs):
        if how == 'badly':
            raise JobFailed('as expected')
        if how == 'worse':
            raise KeyError('not expected')
        self.job.data = {'how': how}

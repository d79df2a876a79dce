"""Wraps every run by overriding `handle()`, with an argument that it takes out for itself."""

from contextlib import contextmanager
from contextvars import ContextVar

from netbox_jobs.jobs import JobRunner

acting_user: ContextVar[str] = ContextVar('acting_user', default='no user')


@contextmanager
def tracked(request):
    token = acting_user.set(request.user.username if request else 'no user')
    try:
        yield
    finally:
        acting_user.reset(token)


class TrackedJob(JobRunner):
    class Meta:
        name = 'Tracked change'

    @classmethod
    def handle(cls, job, *args, request=None, **kwargs):
        with tracked(request):
            return super().handle(job, *args, **kwargs)

    def run(self, field, **kwargs):
        self.job.data = {'field': field, 'by': acting_user.get(), 'else': sorted(kwargs)}

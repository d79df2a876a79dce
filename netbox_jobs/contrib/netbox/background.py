"""Views that run as jobs."""

from dataclasses import asdict, dataclass, field
from typing import Any

from django.contrib import messages
from django.utils.html import format_html
from django.utils.translation import gettext as _

from ...exceptions import JobFailed
from ...jobs import JobRunner
from ...models import Job
from .requests import apply_request_processors, copy_safe_request

__all__ = ('AsyncJobData', 'AsyncViewJob', 'is_background_request', 'process_request_as_job')


@dataclass
class AsyncJobData:
    """What a view returns that ran as a job, in plugins written for NetBox 4.4 and older."""

    log: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


class AsyncViewJob(JobRunner):
    """Runs a class-based view with a copy of a request. The view finds the runner as `request.job`."""

    class Meta:
        name = 'Async View'

    def run(self, view_cls: Any, request: Any, **kwargs: Any) -> None:
        """Run the view; the job fails if the view has set `request.job.job.error`."""
        request.job = self
        with apply_request_processors(request):
            result = view_cls.as_view()(request)
        if isinstance(result, AsyncJobData):
            self.job.data = asdict(result)
        if self.job.error:
            raise JobFailed(self.job.error)


def is_background_request(request: Any) -> bool:
    """Return whether the request is a copy that is being processed by a job."""
    return hasattr(request, 'job')


def process_request_as_job(view: Any, request: Any, name: str | None = None) -> Job | None:
    """Enqueue a job that runs the view with a copy of the request, and add a message about it.

    Args:
        view: The class of the view.
        request: The request; its user is that of the job.
        name: The name of the job.

    Returns:
        The job; None if the request is being processed by one.
    """
    if is_background_request(request):
        return None
    job = AsyncViewJob.enqueue(name=name or '', user=request.user, view_cls=view, request=copy_safe_request(request))
    url = job.get_absolute_url()
    shown = format_html('<a href="{}">{}</a>', url, job.name) if url else job.name
    messages.info(request, format_html(_('Created background job {}: {}'), job.pk, shown))
    return job

"""What a running job is doing: a request for its stack, and the answer, on the job's page."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import path
from django.utils.translation import gettext as _

from ..choices import JobStatusChoices
from ..models import Job, JobStack
from ..monitoring import open_transactions, permissions
from .base import PagesAdmin


class StackPage(PagesAdmin):
    """The part of the admin of jobs that asks a running job for its stack."""

    def stack_urls(self) -> list[Any]:
        """The address to which the button posts."""
        return [path('<int:object_id>/stack/', self.page(self.stack_view), name='netbox_jobs_job_stack')]

    def stack_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Ask the process of a job for its stack; the page of the job shows the answer."""
        job: Job = self.find(request, str(object_id))
        if not permissions.may_inspect(request.user, job):
            raise PermissionDenied
        if request.method != 'POST':
            return HttpResponseNotAllowed(['POST'])
        if JobStack.ask(job) is None:
            self.notify(request, _('The job does not run, so it has no stack.'), messages.WARNING)
        else:
            self.log_change(request, job, [{'changed': {'name': 'stack', 'object': f'#{job.pk}'}}])
        return HttpResponseRedirect(self.url('job_change', job.pk))


def context(request: HttpRequest, job: Job) -> dict[str, Any]:
    """Return what the page of a job says about its stack: nothing unless it runs and the user may see the stack."""
    running = job.status == JobStatusChoices.STATUS_RUNNING
    if not running or not permissions.may_inspect(request.user, job):
        return {'may_ask_stack': False}
    found = JobStack.objects.using(job._state.db).filter(pk=job.pk, attempt=job.attempt).first()
    return {'may_ask_stack': True, 'stack': found, 'transaction': open_transactions.of_job(job)}

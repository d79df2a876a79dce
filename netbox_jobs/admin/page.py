"""The page of one job: its state, its outcome, its timeline, and its log."""

import json
from functools import partial
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import path

from ..choices import JobStatusChoices
from ..core import errors, formatting, reasons
from ..models import Job, Workflow
from ..monitoring import comparison, related, waiting
from . import actions, log, markup, stack, timeline
from .base import PagesAdmin

#: How many characters of arguments, data and errors the page has; a link leads to the whole.
LONGEST = 20_000
#: How many steps the page has.
STEPS = 500
#: Milliseconds between two updates of a job that runs or can run at once, and of a job that is due later.
_BUSY, _IDLE = 1500, 10_000


class JobPage(PagesAdmin):
    """The part of the admin of jobs that shows one of them."""

    def page_urls(self) -> list[Any]:
        """The addresses of a job's parts, and of the actions on it."""
        texts = (('arguments', 'arguments.txt'), ('data', 'data.json'), ('error', 'error.txt'))
        return [
            path('<int:object_id>/live/', self.fragment(self.live_view), name='netbox_jobs_job_live'),
            path('<int:object_id>/log/', self.fragment(self.log_view), name='netbox_jobs_job_log'),
            path('<int:object_id>/log.txt', self.page(self.log_text_view), name='netbox_jobs_job_log_text'),
            path('<int:object_id>/log/<int:line>/', self.page(self.log_line_view), name='netbox_jobs_job_log_line'),
            *(
                path(
                    f'<int:object_id>/{address}',
                    self.page(partial(self.text_view, field=field)),
                    name=f'netbox_jobs_job_{field}',
                )
                for field, address in texts
            ),
            *(
                path(
                    f'<int:object_id>/{action}/',
                    self.page(partial(self.action_view, action=action)),  # type: ignore[attr-defined]
                    name=f'netbox_jobs_job_{action}',
                )
                for action in actions.ACTIONS
            ),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = '',
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The page. It has no form, because a job is not edited."""
        job = self.find(request, object_id)
        context = self._state(request, job)
        context['audit_entries'] = self.audit_entries(request, job)
        context['log'] = log.Page.read(job, log.LogQuery.from_request(request))
        return self.render(request, 'admin/netbox_jobs/job/page.html', formatting.cut(job, 200), **context)

    def live_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """The part of the page that updates itself, without the log."""
        context = self._state(request, self.find(request, str(object_id)))
        return self.render(request, 'admin/netbox_jobs/job/state.html', '', **context)

    def log_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Lines of the log, after a line or before a line."""
        job = self.find(request, str(object_id))
        page = log.Page.read(job, log.LogQuery.from_request(request))
        return self.render(request, 'admin/netbox_jobs/job/log_lines.html', '', log=page, job=job)

    def log_text_view(self, request: HttpRequest, object_id: int) -> HttpResponseBase:
        """The log, or the lines of it that match a filter, as a file."""
        job = self.find(request, str(object_id))
        return log.download(job, log.LogQuery.from_request(request))

    def log_line_view(self, request: HttpRequest, object_id: int, line: int) -> HttpResponse:
        """One line of the log in full, however long."""
        return log.whole_line(self.find(request, str(object_id)), line)

    def text_view(self, request: HttpRequest, object_id: int, field: str) -> HttpResponse:
        """Arguments, result or error in full."""
        job = self.find(request, str(object_id))
        text = {'arguments': job.arguments_shown, 'data': _data(job), 'error': job.error}[field]
        return log.plain(formatting.clean(text))

    def _state(self, request: HttpRequest, job: Job) -> dict[str, Any]:
        related.attach([job])
        kin = timeline.RelatedJobs.of_job(job)
        soon = not job.ended and (job.status != JobStatusChoices.STATUS_SCHEDULED or job.attempt > 0)
        wait = waiting.reason(job, in_full=True)
        error = errors.in_words(job.error[: 2 * LONGEST]).strip()
        possible = [each for each in actions.ACTIONS.values() if each.fits(job) and each.allowed(request, self, job)]
        return {
            'job': job,
            'wait': reasons.in_words(wait) if wait is not None else '',
            'awaited': wait.jobs if wait is not None else (),
            'object_link': markup.object_link(self.admin_site, request, job),
            'job_actions': possible,
            'workflow': self._workflow(request, job),
            'steps': job.steps.using(job._state.db).defer('result')[:STEPS],
            'timeline': timeline.events(job, kin.attempts, wait),
            'related_jobs': kin,
            'trace': log.trace(job) if job.error else '',
            'error_head': formatting.first_line(error, 500),
            'error_rest': formatting.cut(error, LONGEST) if '\n' in error else '',
            'data': formatting.cut(_data(job), LONGEST),
            'data_cut': len(_data(job)) > LONGEST,
            'arguments': formatting.cut(job.arguments_shown, LONGEST),
            'arguments_cut': len(job.arguments_shown) > LONGEST,
            'comparison': comparison.with_completed(job),
            **stack.context(request, job),
            'live_every': None if job.ended else _BUSY if soon else _IDLE,
        }

    def _workflow(self, request: HttpRequest, job: Job) -> Any:
        """Return the workflow that the job is a member of, if the user may see it."""
        model_admin: Any = self.admin_site._registry.get(Workflow)
        if job.workflow_id is None or model_admin is None or not model_admin.has_view_permission(request):
            return None
        return job.workflow


def _data(job: Job) -> str:
    if job.data is None:
        return ''
    return json.dumps(job.data, indent=2, ensure_ascii=False, cls=DjangoJSONEncoder)

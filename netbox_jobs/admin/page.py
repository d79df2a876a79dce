"""The page of one job: what it is, where it stands, what came of it, and its log."""

import json
from functools import partial
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import path

from ..models import Job
from . import log, marks, rows, shown, timeline, verbs
from .base import PagesAdmin

#: So many characters of arguments, data and errors are shown on the page; the whole is one click away.
SHOWN = 20_000
#: Milliseconds between two looks at a job that runs or waits to be run at once, and at one whose time has yet to come.
_SOON, _LATER = 1500, 10_000


class JobPage(PagesAdmin):
    """The part of the admin of jobs that shows one of them."""

    def page_urls(self) -> list[Any]:
        """The addresses of a job's page, of its parts, and of what can be done to it."""
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
                    f'<int:object_id>/{verb}/',
                    self.page(partial(self.steer_view, verb=verb)),  # type: ignore[attr-defined]
                    name=f'netbox_jobs_job_{verb}',
                )
                for verb in verbs.VERBS
            ),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = '',
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The page. There is no form on it: nothing of a job is edited."""
        job = self.find(request, object_id)
        context = self._state(request, job)
        context['log'] = log.Page.of(job, log.Wish.of(request))
        return self.render(request, 'admin/netbox_jobs/job/page.html', shown.cut(job, 200), **context)

    def live_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """What of the page changes by itself, but for the log."""
        context = self._state(request, self.find(request, str(object_id)))
        return self.render(request, 'admin/netbox_jobs/job/state.html', '', **context)

    def log_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Lines of the log, after one or before one."""
        job = self.find(request, str(object_id))
        page = log.Page.of(job, log.Wish.of(request))
        return self.render(request, 'admin/netbox_jobs/job/log_lines.html', '', log=page, job=job)

    def log_text_view(self, request: HttpRequest, object_id: int) -> HttpResponseBase:
        """The whole log, or what of it is filtered, as a file."""
        job = self.find(request, str(object_id))
        return log.download(job, log.Wish.of(request))

    def log_line_view(self, request: HttpRequest, object_id: int, line: int) -> HttpResponse:
        """One line of the log in full, however long."""
        return log.whole_line(self.find(request, str(object_id)), line)

    def text_view(self, request: HttpRequest, object_id: int, field: str) -> HttpResponse:
        """Arguments, result or error in full."""
        job = self.find(request, str(object_id))
        text = {'arguments': job.arguments_shown, 'data': _data(job), 'error': job.error}[field]
        return log.plain(shown.clean(text))

    def _state(self, request: HttpRequest, job: Job) -> dict[str, Any]:
        rows.dress([job])
        relatives = timeline.Relatives.of(job)
        soon = not job.ended and (job.status != 'scheduled' or job.attempt > 0)
        return {
            'job': job,
            'about': marks.about(self.admin_site, request, job),
            'verbs': [verb for verb in verbs.VERBS.values() if verb.fits(job) and verb.allowed(request, self, job)],
            'timeline': timeline.events(job, relatives.attempts),
            'relatives': relatives,
            'trace': log.trace(job) if job.error else '',
            'error_head': shown.first_line(job.error, 500),
            'error_rest': shown.cut(job.error, SHOWN) if len(job.error.strip().split('\n')) > 1 else '',
            'data': shown.cut(_data(job), SHOWN),
            'data_cut': len(_data(job)) > SHOWN,
            'arguments': shown.cut(job.arguments_shown, SHOWN),
            'arguments_cut': len(job.arguments_shown) > SHOWN,
            'live_every': None if job.ended else _SOON if soon else _LATER,
        }


def _data(job: Job) -> str:
    if job.data is None:
        return ''
    return json.dumps(job.data, indent=2, ensure_ascii=False, cls=DjangoJSONEncoder)

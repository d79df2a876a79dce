"""The page of errors: what went wrong of late, by cause, and actions on all jobs of one cause."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _

from ..core import errors as texts
from ..core import formatting
from ..maintenance import bulk_action, releases
from ..models import Job, MutedError
from ..monitoring import errors
from ..monitoring.performance import PERIODS
from . import actions
from .base import PagesAdmin
from .periods import choices

#: The actions on all jobs of one cause.
_ACTIONS = ('retry', 'delete')
#: Milliseconds between two updates.
EVERY = 10_000


def _actions() -> list[actions.Action]:
    return [actions.ACTIONS[name] for name in _ACTIONS]


class ErrorsPage(PagesAdmin):
    """The part of the admin of jobs that shows errors by their cause."""

    def error_urls(self) -> list[Any]:
        """The page, the part of it that updates itself, the actions, and the switch that mutes an error."""
        return [
            path('errors/', self.page(self.errors_view), name='netbox_jobs_job_errors'),
            path('errors/live/', self.fragment(self.errors_live_view), name='netbox_jobs_job_errors_live'),
            path('errors/act/', self.page(self.errors_act_view), name='netbox_jobs_job_errors_act'),
            path('errors/mute/', self.page(self.errors_mute_view), name='netbox_jobs_job_errors_mute'),
        ]

    def errors_view(self, request: HttpRequest) -> HttpResponse:
        """The page."""
        self.check_view(request)
        return self.render(request, 'admin/netbox_jobs/job/errors.html', _('Errors'), **self._errors(request))

    def errors_live_view(self, request: HttpRequest) -> HttpResponse:
        """The part that updates itself."""
        self.check_view(request)
        return self.render(request, 'admin/netbox_jobs/job/errors_body.html', '', **self._errors(request))

    def errors_act_view(self, request: HttpRequest) -> HttpResponse:
        """Retry or delete all jobs of one cause: first ask, then enqueue the job that does it."""
        action = actions.ACTIONS.get(request.POST.get('action') or request.GET.get('action', ''))
        job = self._example(request)
        if action is None or action.name not in _ACTIONS:
            raise Http404
        if not action.allowed(request, self):
            raise PermissionDenied
        filters = {'error': job.fingerprint}
        if request.POST.get('confirmed'):
            acting = bulk_action.act_on_jobs(action.name, filters, user=request.user)
            return HttpResponseRedirect(self.url('job_change', acting.pk))
        count = bulk_action.matching(action.name, filters).count()
        return self.render(
            request,
            'admin/netbox_jobs/job/errors_confirm.html',
            action.ask_several % {'count': count},
            action=action,
            answer=action.answer_several % {'count': count},
            count=count,
            job=job,
            message=texts.line(job.error),
            back=self.back(request, self.url('job_errors')).url,
        )

    def errors_mute_view(self, request: HttpRequest) -> HttpResponse:
        """Mute an error, or unmute it."""
        job = self._example(request)
        user: Any = request.user
        if not user.has_perm('netbox_jobs.add_mutederror'):
            raise PermissionDenied
        if 'unmute' in (request.POST.get('do'), request.GET.get('do')):
            MutedError.unmute(job.fingerprint)
        else:
            MutedError.mute(job.fingerprint, user=user)
        return self.back(request, self.url('job_errors'))

    def _example(self, request: HttpRequest) -> Job:
        """Return the newest job of the error that a form names; raise unless the user posts and may see it."""
        self.check_view(request)
        job = errors.example(request.POST.get('error', '').replace('\x00', '')[:16])
        if request.method != 'POST' or job is None or not self.has_view_permission(request, job):
            raise Http404
        return job

    def _errors(self, request: HttpRequest) -> dict[str, Any]:
        user: Any = request.user
        chosen, periods, length = _period(request)
        queue = request.GET.get('queue', '').replace('\x00', '')[:100]
        found = errors.groups(length, queue=queue)
        return {
            'groups': found,
            'most': max((max(group.bars) for group in found), default=0),
            'limit': errors.GROUPS if len(found) == errors.GROUPS else None,
            'periods': periods,
            'period': chosen,
            'queue': queue,
            'group_actions': [action for action in _actions() if action.allowed(request, self)],
            'may_mute': user.has_perm('netbox_jobs.add_mutederror'),
            'live_every': EVERY,
            'here': self._here(chosen, queue),
        }

    def _here(self, period: str, queue: str) -> str:
        return f'{self.url("job_errors")}?{urlencode({"period": period, **({"queue": queue} if queue else {})})}'


def _period(request: HttpRequest) -> tuple[str, list[tuple[str, Any, bool]], timedelta]:
    """Return the period that the address names, the choices, and its length: also that since the latest release."""
    chosen, periods = choices(request)
    release = releases.latest()
    if release is None:
        return chosen, periods, PERIODS[chosen]
    name, since = release
    label = _('Since %(release)s') % {'release': formatting.cut(name, 20)}
    if request.GET.get('period') != releases.RELEASE:
        return chosen, [*periods, (releases.RELEASE, label, False)], PERIODS[chosen]
    others = [(key, text, False) for key, text, _chosen in periods]
    length = max(timezone.now() - since, timedelta(minutes=1))
    return releases.RELEASE, [*others, (releases.RELEASE, label, True)], length

"""The pages that act on jobs: on one from its page, or on several from the list, after a question."""

from contextlib import nullcontext
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect, QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ..core import formatting
from ..lifecycle import audit
from ..models import Job
from ..monitoring import related
from . import actions
from .actions import Action
from .base import PagesAdmin

#: How many jobs one request acts on at most, so that it ends in time.
LIMIT = 1000
#: How many jobs the question names, and how many errors the answer.
NAMED, ERRORS = 20, 10


class JobActionPages(PagesAdmin):
    """The part of the admin of jobs that changes jobs; by POST alone."""

    def action_view(self, request: HttpRequest, object_id: str, action: str) -> HttpResponse:
        """Act on one job: GET asks, POST acts."""
        job, chosen = self.find(request, object_id), actions.ACTIONS[action]
        if not chosen.allowed(request, self, job):
            raise PermissionDenied
        page = self.url('job_change', job.pk)
        if request.method == 'POST':
            result = self._perform(request, chosen, [job])
            if chosen is actions.DELETE:
                return HttpResponseRedirect(self.url('job_changelist'))
            return HttpResponseRedirect(self.url('job_change', result[0].pk) if result else page)
        if request.method not in ('GET', 'HEAD'):
            return HttpResponseNotAllowed(['GET', 'POST'])
        return self._ask(request, chosen, [job], back=page)

    def bulk_view(self, request: HttpRequest) -> HttpResponse:
        """Act on the selected jobs, or on all jobs of a filtered list: first ask, then act on the confirmed request."""
        self.check_view(request)
        if request.method != 'POST':
            return HttpResponseNotAllowed(['POST'])
        chosen = actions.ACTIONS.get(request.POST.get('action', ''))
        if chosen is None:
            raise Http404
        if not chosen.allowed(request, self):
            raise PermissionDenied
        filters = request.POST.get('filters', '')
        back = self.url('job_changelist') + (f'?{filters}' if filters else '')
        jobs = self._selected(request, filters)
        if not jobs:
            self.notify(request, _('No jobs are selected. Select jobs by their boxes first.'), messages.WARNING)
        elif request.POST.get('confirmed'):
            across = {'across': filters} if request.POST.get('across') else {}
            with audit.several(chosen.name, across) if len(jobs) > 1 else nullcontext():
                self._perform(request, chosen, jobs)
        else:
            return self._ask(request, chosen, jobs, back=back, filters=filters)
        return HttpResponseRedirect(back)

    def _selected(self, request: HttpRequest, filters: str) -> list[Job]:
        found: Any = related.defer_large_fields(self.get_queryset(request))
        if request.POST.get('across'):
            original, request.GET = request.GET, QueryDict(filters)
            try:
                found = self.get_changelist_instance(request).get_queryset(request)
            finally:
                request.GET = original
        else:
            keys = [int(key) for key in request.POST.getlist('job') if key.isdigit() and len(key) < 19]
            found = found.filter(pk__in=keys[:LIMIT]).order_by('-pk')
        return [job for job in found[:LIMIT] if self.has_view_permission(request, job)]

    def _ask(
        self, request: HttpRequest, action: Action, jobs: list[Job], back: str, filters: str | None = None
    ) -> HttpResponse:
        effect = actions.effect(action, jobs)
        affected = [job for job in jobs if action.fits(job)]
        return self.render(
            request,
            'admin/netbox_jobs/job/confirm.html',
            action.question(affected or jobs),
            action=action,
            answer=action.answer(affected or jobs),
            effect=effect,
            jobs=affected,
            named_jobs=affected[:NAMED],
            more=len(affected) - NAMED,
            back=back,
            filters=filters,
            several=filters is not None,
            limit=LIMIT if len(jobs) == LIMIT else None,
        )

    def _perform(self, request: HttpRequest, action: Action, jobs: list[Job]) -> list[Any]:
        """Act on the jobs that the action fits, and notify the user; returns the new jobs of a retry."""
        results, failures, unaffected = [], [], 0
        for job in jobs:
            if not action.fits(job) or not action.allowed(request, self, job):
                unaffected += 1
                continue
            if action is actions.DELETE:
                self.log_deletions(request, [job])  # type: ignore[arg-type]
            try:
                result = action.perform(job)
            except Job.DoesNotExist:
                result = False  # it has been deleted meanwhile
            except Exception as error:  # what a retry raises depends on the runner's own code
                failures.append(f'#{job.pk}: {formatting.first_line(error)}')
                continue
            if not result:
                unaffected += 1
                continue
            results.append(result)
            if action is not actions.DELETE:
                self.log_change(request, job, [{'changed': {'name': str(action.label), 'object': f'#{job.pk}'}}])
        self._report(request, action, len(results), unaffected, failures)
        return [result for result in results if isinstance(result, Job)]

    def _report(self, request: HttpRequest, action: Action, done: int, unaffected: int, failures: list[str]) -> None:
        if done:
            self.notify(request, action.done_text(done))
        if unaffected:
            text = ngettext(
                '%(count)d job was not changed, because its status does not allow it.',
                '%(count)d jobs were not changed, because their status does not allow it.',
                unaffected,
            )
            self.notify(request, text % {'count': unaffected}, messages.WARNING)
        for failure in failures[:ERRORS]:
            self.notify(request, failure, messages.ERROR)
        if len(failures) > ERRORS:
            text = _('%(count)d more jobs failed in the same way.') % {'count': len(failures) - ERRORS}
            self.notify(request, text, messages.ERROR)

"""The pages by which jobs are steered: one at a time from its page, or several from the list, asked about first."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect, QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ..choices import JobStatusChoices
from ..models import Job
from . import rows, shown, verbs
from .base import PagesAdmin
from .verbs import Verb

#: So many jobs are steered by one request, so that it ends in time.
LIMIT = 1000
_WORDS = dict(JobStatusChoices.CHOICES)


class SteersJobs(PagesAdmin):
    """The part of the admin of jobs that changes something; by POST alone."""

    def steer_view(self, request: HttpRequest, object_id: str, verb: str) -> HttpResponse:
        """One job: GET asks, POST does."""
        if verb not in verbs.VERBS:
            raise Http404
        job, chosen = self.find(request, object_id), verbs.VERBS[verb]
        if not chosen.allowed(request, self, job):
            raise PermissionDenied
        page = self.url('job_change', job.pk)
        if request.method == 'POST':
            result = self._do(request, chosen, [job])
            if chosen is verbs.DELETE:
                return HttpResponseRedirect(self.url('job_changelist'))
            return HttpResponseRedirect(self.url('job_change', result[0].pk) if result else page)
        if request.method not in ('GET', 'HEAD'):
            return HttpResponseNotAllowed(['GET', 'POST'])
        return self._ask(request, chosen, [job], back=page)

    def bulk_view(self, request: HttpRequest) -> HttpResponse:
        """Several jobs, chosen by their boxes, or all that a filtered list shows; first a question, then the deed."""
        self.check_view(request)
        if request.method != 'POST':
            return HttpResponseNotAllowed(['POST'])
        chosen = verbs.VERBS.get(request.POST.get('verb', ''))
        if chosen is None:
            raise Http404
        if not chosen.allowed(request, self):
            raise PermissionDenied
        filters = request.POST.get('filters', '')
        back = self.url('job_changelist') + (f'?{filters}' if filters else '')
        jobs = self._chosen(request, filters)
        if not jobs:
            self.say(request, _('No jobs were chosen.'), messages.WARNING)
        elif request.POST.get('confirmed'):
            self._do(request, chosen, jobs)
        else:
            return self._ask(request, chosen, jobs, back=back, filters=filters)
        return HttpResponseRedirect(back)

    def _chosen(self, request: HttpRequest, filters: str) -> list[Job]:
        found: Any = rows.light(self.get_queryset(request))
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
        self, request: HttpRequest, verb: Verb, jobs: list[Job], back: str, filters: str | None = None
    ) -> HttpResponse:
        told = verbs.effect(verb, jobs)
        touched = [job for job in jobs if verb.fits(job)]
        return self.render(
            request,
            'admin/netbox_jobs/job/confirm.html',
            _('%(verb)s: are you sure?') % {'verb': verb.label},
            verb=verb,
            effect=told,
            touched=_spelled(told.touched),
            left=_spelled(told.left),
            jobs=touched,
            shown_jobs=touched[:20],
            more=len(touched) - 20,
            back=back,
            filters=filters,
            several=filters is not None,
            limit=LIMIT if len(jobs) == LIMIT else None,
        )

    def _do(self, request: HttpRequest, verb: Verb, jobs: list[Job]) -> list[Any]:
        """Do it to those that it fits, and tell the user; returns the new jobs of a retry."""
        results, failures, untouched = [], [], 0
        for job in jobs:
            if not verb.fits(job) or not verb.allowed(request, self, job):
                untouched += 1
                continue
            if verb is verbs.DELETE:
                self.log_deletions(request, [job])  # type: ignore[arg-type]
            try:
                result = verb.perform(job)
            except Job.DoesNotExist:
                result = False  # somebody else has deleted it meanwhile
            except Exception as error:  # what a retry raises depends on the runner's own code
                failures.append(f'#{job.pk}: {shown.first_line(error)}')
                continue
            if not result:
                untouched += 1
                continue
            results.append(result)
            if verb is not verbs.DELETE:
                self.log_change(request, job, [{'changed': {'name': str(verb.label), 'object': f'#{job.pk}'}}])
        self._tell(request, verb, len(results), untouched, failures)
        return [result for result in results if isinstance(result, Job)]

    def _tell(self, request: HttpRequest, verb: Verb, done: int, untouched: int, failures: list[str]) -> None:
        if done:
            self.say(request, verb.done_text(done))
        if untouched:
            text = ngettext(
                '%(count)d job was left alone: its status does not allow it (any more).',
                '%(count)d jobs were left alone: their status does not allow it (any more).',
                untouched,
            )
            self.say(request, text % {'count': untouched}, messages.WARNING)
        for failure in failures[:10]:
            self.say(request, failure, messages.ERROR)
        if len(failures) > 10:
            self.say(request, _('and %(count)d more failed.') % {'count': len(failures) - 10}, messages.ERROR)


def _spelled(counts: dict[str, int]) -> list[tuple[str, str, int]]:
    return [(status, str(_WORDS[status]), number) for status, number in counts.items()]

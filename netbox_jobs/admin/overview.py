"""The overview: how queues, the last day, schedules and workers stand, on one page that keeps itself up to date."""

from datetime import timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.urls import path
from django.utils import formats, timezone
from django.utils.translation import gettext as _

from ..models import PausedQueue, Schedule, Worker, database
from ..monitoring import overview
from . import charts, marks, rows, shown
from .base import PagesAdmin

#: So many schedules are on the page; it links to all of them.
SCHEDULES = 25
#: Milliseconds between two looks.
EVERY = 5000


class OverviewPage(PagesAdmin):
    """The part of the admin of jobs that shows how things stand."""

    def overview_urls(self) -> list[Any]:
        """The page, what of it changes by itself, and the switch of a queue."""
        return [
            path('overview/', self.page(self.overview_view), name='netbox_jobs_job_overview'),
            path('overview/live/', self.fragment(self.overview_live_view), name='netbox_jobs_job_overview_live'),
            path('overview/queue/', self.page(self.queue_view), name='netbox_jobs_job_queue'),
        ]

    def overview_view(self, request: HttpRequest) -> HttpResponse:
        """The page."""
        self.check_view(request)
        template = 'admin/netbox_jobs/job/overview.html'
        return self.render(request, template, _('Overview of background jobs'), **self._standing(request))

    def overview_live_view(self, request: HttpRequest) -> HttpResponse:
        """What of it changes by itself."""
        self.check_view(request)
        return self.render(request, 'admin/netbox_jobs/job/overview_body.html', '', **self._standing(request))

    def queue_view(self, request: HttpRequest) -> HttpResponse:
        """Pause or resume a queue."""
        user: Any = request.user
        if not (self.has_view_permission(request) and user.has_perm('netbox_jobs.pause_queue')):
            raise PermissionDenied
        if request.method != 'POST':
            return HttpResponseNotAllowed(['POST'])
        name = request.POST.get('name', '').replace('\x00', '')
        paused = PausedQueue.objects.using(database())
        if request.POST.get('do') == 'resume':
            paused.filter(name=name).delete()
            self.say(request, _('Queue %(name)s goes on.') % {'name': name})
        elif name and len(name) <= 100 and name in overview.queue_names():
            paused.get_or_create(name=name)
            self.say(request, _('Queue %(name)s is paused. What runs finishes; the rest waits.') % {'name': name})
        else:
            raise Http404
        return self.back(request, self.url('job_overview'))

    def _standing(self, request: HttpRequest) -> dict[str, Any]:
        user: Any = request.user
        day = overview.last_day()
        workers = overview.worker_states()
        living = [state.worker for state in workers if state.silent is None]
        manages = bool(user.has_perm('netbox_jobs.manage_schedule'))
        sees_schedules = self._sees(request, Schedule) or manages
        return {
            'day': day,
            'charts': _charts(day),
            'queues': overview.queue_states(living, day.failed),
            'workers': workers if self._sees(request, Worker) else None,
            'schedules': self._schedules(request) if sees_schedules else None,
            'all_schedules': SCHEDULES,
            'may_manage': manages,
            'may_pause': user.has_perm('netbox_jobs.pause_queue'),
            'live_every': EVERY,
            'counted': overview.COUNTED,
            'now': timezone.now(),
        }

    def _sees(self, request: HttpRequest, model: Any) -> bool:
        found = self.admin_site._registry.get(model)
        return found is not None and found.has_view_permission(request)

    def _schedules(self, request: HttpRequest) -> list[Any]:
        # What needs looking at comes first.
        found = overview.schedule_states(Schedule.objects.order_by('-suspended', 'name', 'pk')[:SCHEDULES])
        rows.dress_with_objects([state.schedule for state in found])
        for state in found:
            state.schedule.shown_about = marks.about(self.admin_site, request, state.schedule)  # type: ignore[attr-defined]
        return found


def _charts(day: overview.Day) -> list[charts.Chart]:
    tallies = [tally for _hour, tally in day.hours]
    places = [_hour_name(hour) for hour, _tally in day.hours]

    def number(value: float) -> str:
        return formats.number_format(value, 0 if value == int(value) else 1, force_grouping=True)

    total = day.total
    waits = [tally.wait.total_seconds() if tally.wait else 0.0 for tally in tallies]
    runs = [tally.run.total_seconds() if tally.run else 0.0 for tally in tallies]
    return [
        charts.bars(
            'throughput',
            _('Jobs that ended, by hour'),
            places,
            [
                charts.Series(_('completed'), 'green', [tally.completed for tally in tallies]),
                charts.Series(_('failed'), 'red', [tally.failed for tally in tallies]),
                charts.Series(_('canceled'), 'orange', [tally.canceled for tally in tallies]),
            ],
            number,
            _('%(count)s jobs ended in the last day; %(failed)s of them failed.')
            % {'count': number(total.count), 'failed': number(total.failed)},
        ),
        charts.bars(
            'waiting',
            _('Waiting time, on average'),
            places,
            [charts.Series(_('waiting time'), 'cyan', waits)],
            shown.span,
            _('A job waited %(time)s for a worker, on average.') % {'time': shown.span(total.wait or timedelta())},
        ),
        charts.bars(
            'running',
            _('Run time, on average'),
            places,
            [charts.Series(_('run time'), 'blue', runs)],
            shown.span,
            _('A job ran %(time)s, on average.') % {'time': shown.span(total.run or timedelta())},
        ),
    ]


def _hour_name(hour: Any) -> str:
    return formats.date_format(timezone.localtime(hour) if timezone.is_aware(hour) else hour, 'H:i')

"""The overview: queues, the last day, schedules and workers, on one page that updates itself."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.urls import path
from django.utils.translation import gettext as _

from ..core import formatting
from ..core.histogram import PERCENTILES, Histogram
from ..exceptions import UnknownQueue
from ..models import PausedQueue, QueueLimit, Schedule, Worker
from ..monitoring import related, snapshot
from ..monitoring.performance import Performance
from ..monitoring.queues import queue_names
from ..monitoring.schedules import schedule_states
from . import charts, markup
from .base import PagesAdmin

#: How many schedules are on the page; a link leads to all.
SCHEDULES = 25
#: How many of the slowest and of the most failing runners are on the page; a link leads to all.
RUNNERS = 8
#: Milliseconds between two updates.
EVERY = 5000


class OverviewPage(PagesAdmin):
    """The part of the admin of jobs that shows the overview."""

    def overview_urls(self) -> list[Any]:
        """The page, the part of it that updates itself, and the switch that pauses a queue."""
        return [
            path('overview/', self.page(self.overview_view), name='netbox_jobs_job_overview'),
            path('overview/live/', self.fragment(self.overview_live_view), name='netbox_jobs_job_overview_live'),
            path('overview/queue/', self.page(self.queue_view), name='netbox_jobs_job_queue'),
        ]

    def overview_view(self, request: HttpRequest) -> HttpResponse:
        """The page."""
        self.check_view(request)
        template = 'admin/netbox_jobs/job/overview.html'
        context = {**self._snapshot(request), 'at_overview': True}
        return self.render(request, template, _('Overview of background jobs'), **context)

    def overview_live_view(self, request: HttpRequest) -> HttpResponse:
        """The part that updates itself."""
        self.check_view(request)
        return self.render(request, 'admin/netbox_jobs/job/overview_body.html', '', **self._snapshot(request))

    def queue_view(self, request: HttpRequest) -> HttpResponse:
        """Pause or resume a queue."""
        user: Any = request.user
        if not (self.has_view_permission(request) and user.has_perm('netbox_jobs.pause_queue')):
            raise PermissionDenied
        if request.method != 'POST':
            return HttpResponseNotAllowed(['POST'])
        name = request.POST.get('name', '').replace('\x00', '')
        if request.POST.get('do') == 'pause_all':
            PausedQueue.pause_all()
            self.notify(request, _('All queues are paused. Running jobs finish; other jobs wait.'))
        elif request.POST.get('do') == 'resume_all':
            PausedQueue.resume_all()
            self.notify(request, _('All queues are resumed.'))
        elif request.POST.get('do') == 'resume':
            try:
                PausedQueue.resume(name)
            except UnknownQueue:
                raise Http404 from None
            self.notify(request, _('The queue %(name)s is resumed.') % {'name': name})
        elif name and len(name) <= 100 and name in queue_names():
            PausedQueue.pause(name)
            self.notify(
                request, _('The queue %(name)s is paused. Running jobs finish; other jobs wait.') % {'name': name}
            )
        else:
            raise Http404
        return self.back(request, self.url('job_overview'))

    def _snapshot(self, request: HttpRequest) -> dict[str, Any]:
        user: Any = request.user
        now = snapshot.take()
        manages = bool(user.has_perm('netbox_jobs.manage_schedule'))
        sees_schedules = self._sees(request, Schedule) or manages
        return {
            'day': now.day,
            'charts': _charts(now.day),
            'percentiles': PERCENTILES[:2],  # the page of performance has all
            'slowest': [(name, tally) for name, tally in now.day.slowest_runners() if tally.runs.count][:RUNNERS],
            'most_failing': now.day.most_failing_runners()[:RUNNERS],
            'queues': now.queues,
            'workers': now.workers if self._sees(request, Worker) else None,
            'schedules': self._schedules(request) if sees_schedules else None,
            'all_schedules': SCHEDULES,
            'may_manage': manages,
            'may_stop_workers': user.has_perm('netbox_jobs.stop_worker'),
            'may_limit': self._sees(request, QueueLimit),
            'may_pause': user.has_perm('netbox_jobs.pause_queue'),
            'live_every': EVERY,
            'counted': now.counted,
            'now': now.taken,
        }

    def _sees(self, request: HttpRequest, model: Any) -> bool:
        found = self.admin_site._registry.get(model)
        return found is not None and found.has_view_permission(request)

    def _schedules(self, request: HttpRequest) -> list[Any]:
        # Suspended schedules, which need attention, come first.
        found = schedule_states(Schedule.objects.order_by('-suspended', 'name', 'pk')[:SCHEDULES])
        related.attach_objects([state.schedule for state in found])
        for state in found:
            state.schedule.object_link = markup.object_link(self.admin_site, request, state.schedule)  # type: ignore[attr-defined]
        return found


def _charts(day: Performance) -> list[charts.Chart]:
    hours, total = list(day.hours.values()), day.total
    places = [formatting.hour(hour) for hour in day.hours]
    counts = {
        'count': formatting.number(total.count),
        'errored': formatting.number(total.errored),
        'failed': formatting.number(total.failed),
    }
    return [
        charts.bars(
            'throughput',
            _('Ended jobs, by hour'),
            places,
            [
                charts.Series(_('completed'), 'green', [tally.completed for tally in hours]),
                charts.Series(_('errored'), 'red', [tally.errored for tally in hours]),
                charts.Series(_('failed'), 'magenta', [tally.failed for tally in hours]),
                charts.Series(_('canceled'), 'orange', [tally.canceled for tally in hours]),
            ],
            _number,
            _('%(count)s jobs ended in the last day; %(errored)s of them errored and %(failed)s failed.') % counts,
            steps=charts.COUNTS,
        ),
        _times(
            'waiting',
            _('Waiting time, p95'),
            charts.Series(_('waiting time'), 'cyan', [_p95(tally.waits) for tally in hours]),
            places,
            _('95 of 100 jobs waited no longer than %(time)s for a worker.'),
            total.waits,
        ),
        _times(
            'running',
            _('Run time, p95'),
            charts.Series(_('run time'), 'blue', [_p95(tally.runs) for tally in hours]),
            places,
            _('95 of 100 jobs ran no longer than %(time)s.'),
            total.runs,
        ),
    ]


def _times(
    key: str, title: str, series: charts.Series, places: list[str], summary: str, times: Histogram
) -> charts.Chart:
    """Return a chart of lengths of time. Averages would hide the slow jobs."""
    summary %= {'time': formatting.duration(_p95(times))}
    return charts.bars(key, title, places, [series], formatting.duration, summary, steps=charts.DURATIONS)


def _p95(times: Histogram) -> float:
    found = times.percentile(95)
    return 0.0 if found is None else found.total_seconds()


def _number(value: float) -> str:
    return formatting.number(value, 0 if value == int(value) else 1)

"""The page of performance: how much is done and how fast, by queue and by runner."""

from datetime import datetime
from typing import Any, NamedTuple

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.translation import gettext as _

from ..core.histogram import PERCENTILES
from ..maintenance.tallies import Tally
from ..monitoring import performance
from ..monitoring.queues import QueueState, queue_states
from .base import PagesAdmin
from .periods import choices

#: How many runners are on the page: those with the longest runs.
RUNNERS = 50
#: Milliseconds between two updates.
EVERY = 15_000


class _Row(NamedTuple):
    name: str
    tally: Tally
    per_second: float
    queue: QueueState | None = None
    #: Of a runner: how many of its jobs wait, and since when the oldest of them could have run.
    waiting: int = 0
    oldest: datetime | None = None


class PerformancePage(PagesAdmin):
    """The part of the admin of jobs that shows performance."""

    def performance_urls(self) -> list[Any]:
        """The page, and the part of it that updates itself."""
        return [
            path('performance/', self.page(self.performance_view), name='netbox_jobs_job_performance'),
            path(
                'performance/live/', self.fragment(self.performance_live_view), name='netbox_jobs_job_performance_live'
            ),
        ]

    def performance_view(self, request: HttpRequest) -> HttpResponse:
        """The page."""
        self.check_view(request)
        context = self._performance(request)
        return self.render(request, 'admin/netbox_jobs/job/performance.html', _('Performance'), **context)

    def performance_live_view(self, request: HttpRequest) -> HttpResponse:
        """The part that updates itself."""
        self.check_view(request)
        return self.render(request, 'admin/netbox_jobs/job/performance_body.html', '', **self._performance(request))

    def _performance(self, request: HttpRequest) -> dict[str, Any]:
        chosen, periods = choices(request)
        found = performance.take(chosen)
        states = {state.name: state for state in queue_states(failed={})}
        waiting = performance.waiting_by_runner()
        ranked = found.slowest_queues()
        ranked += [(name, Tally()) for name in states if name not in found.queues]
        runners = found.slowest_runners() + [(name, Tally()) for name in waiting if name not in found.runners]
        return {
            'queues': [_Row(name, tally, found.per_second(tally), states.get(name)) for name, tally in ranked],
            'runners': [
                _Row(name, tally, found.per_second(tally), None, *waiting.get(name, (0, None)))
                for name, tally in runners[:RUNNERS]
            ],
            'counted': performance.WAITING,
            'limit': RUNNERS if len(runners) > RUNNERS else None,
            'left_out': found.left_out,
            'periods': periods,
            'period': chosen,
            'percentiles': PERCENTILES,
            'live_every': EVERY,
        }

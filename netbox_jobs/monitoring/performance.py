"""How much is done and how fast, by queue and by runner, over an hour, a day or a week."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.utils import timezone

from ..maintenance.statistics import start_of_hour
from ..maintenance.tallies import Tallies, Tally, merged, tallies
from ..models import HourlyStatistics, Job, database

#: The periods that pages and commands offer.
PERIODS = {'1h': timedelta(hours=1), '24h': timedelta(days=1), '7d': timedelta(days=7)}
#: How many jobs of the hours without statistics are added up at most: the newest.
ADDED_UP = 100_000
#: If more jobs than `LARGE` were added up, they are added up again after `FRESH` seconds at the earliest.
LARGE, FRESH = 1_000, 15.0
_HOUR = timedelta(hours=1)


@dataclass
class Performance:
    """The jobs that ended in a period."""

    period: str
    since: datetime
    until: datetime
    queues: dict[str, Tally] = field(default_factory=dict)
    runners: dict[str, Tally] = field(default_factory=dict)
    #: The time in the period whose jobs are left out, as more have ended than are added up.
    left_out: timedelta = timedelta()

    def per_second(self, tally: Tally) -> float:
        """Return how many of these jobs ended in a second, on average."""
        length = self.until - self.since - self.left_out
        return tally.count / max(1.0, length.total_seconds())

    def slowest_queues(self) -> list[tuple[str, Tally]]:
        """Return the queues, with the longest waits first: by the time that 95 % of the jobs did not exceed."""
        return _ranked(self.queues, lambda tally: tally.waits.percentile(95))

    def slowest_runners(self) -> list[tuple[str, Tally]]:
        """Return the runners, with the longest runs first: by the time that 95 % of the jobs did not exceed."""
        return _ranked(self.runners, lambda tally: tally.runs.percentile(95))


# What this process added up last, by database and period, and when, on its monotonic clock.
_found: dict[tuple[str, str], tuple[float, Performance]] = {}


def take(period: str) -> Performance:
    """Return the performance of the latest hour, day or week; on a busy site, up to `FRESH` seconds old.

    Whole hours come from the statistics that workers keep, so that the cost does not grow with the number of jobs.

    Args:
        period: A key of `PERIODS`.
    """
    key = database(), period
    when, known = _found.get(key, (0.0, None))
    if known is not None and time.monotonic() - when < FRESH:
        return known
    performance = _take(period, timezone.now())
    if sum(tally.count for tally in performance.queues.values()) > LARGE:
        _found[key] = time.monotonic(), performance
    else:
        _found.pop(key, None)
    return performance


def _take(period: str, now: datetime) -> Performance:
    using, since = database(), now - PERIODS[period]
    if PERIODS[period] > _HOUR:
        since = start_of_hour(since)  # statistics have no parts
    found = Performance(period, since, now)
    if PERIODS[period] > _HOUR:
        rows = list(HourlyStatistics.objects.using(using).filter(hour__gte=since).order_by('hour'))
        _add(found, merged(rows))
        if rows:
            since = rows[-1].hour + _HOUR
    jobs = Job.objects.using(using).filter(completed__gte=since)
    cut = jobs.order_by('-completed').values_list('completed', flat=True)[ADDED_UP : ADDED_UP + 1].first()
    if cut is not None:
        found.left_out, jobs = cut - since, jobs.filter(completed__gt=cut)
    _add(found, tallies(jobs))
    return found


def _add(found: Performance, parts: Tallies) -> None:
    for (queue, runner), tally in parts.items():
        found.queues.setdefault(queue, Tally()).merge(tally)
        found.runners.setdefault(runner, Tally()).merge(tally)


def _ranked(of: dict[str, Tally], key: Callable[[Tally], timedelta | None]) -> list[tuple[str, Tally]]:
    return sorted(of.items(), key=lambda item: (key(item[1]) or timedelta(), item[1].count), reverse=True)

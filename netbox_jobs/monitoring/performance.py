"""How much is done and how fast, by queue and by runner, over an hour, a day or a week."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Max, Sum
from django.utils import timezone

from ..choices import JobStatusChoices
from ..core import clock
from ..maintenance.statistics import start_of_hour
from ..maintenance.tallies import HourlyTallies, Tallies, Tally, hourly, stored
from ..models import HourlyStatistics, Job, database

#: The periods that pages and commands offer.
PERIODS = {'1h': timedelta(hours=1), '24h': timedelta(days=1), '7d': timedelta(days=7)}
#: How many jobs of the hours without statistics are added up at most: the newest.
ADDED_UP = 100_000
#: How many waiting jobs are counted by runner.
WAITING = 5_000
#: If more jobs than `LARGE` were added up, they are added up again after `FRESH` seconds at the earliest.
LARGE, FRESH = 1_000, 15.0
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


@dataclass
class Performance:
    """The jobs that ended in a period."""

    period: str
    since: datetime
    until: datetime
    queues: dict[str, Tally] = field(default_factory=dict)
    runners: dict[str, Tally] = field(default_factory=dict)
    #: By the beginning of the hour, the earliest first; also hours in which none ended. A week has none of these.
    hours: dict[datetime, Tally] = field(default_factory=dict)
    #: The time in the period whose jobs are left out, as more have ended than are added up.
    left_out: timedelta = timedelta()

    def per_second(self, tally: Tally) -> float:
        """Return how many of these jobs ended in a second, on average."""
        length = self.until - self.since - self.left_out
        return tally.count / max(1.0, length.total_seconds())

    @property
    def total(self) -> Tally:
        """All jobs."""
        total = Tally()
        for tally in self.queues.values():
            total.merge(tally)
        return total

    @property
    def failed(self) -> dict[str, int]:
        """How many jobs errored or failed, by queue."""
        return {name: tally.wrong for name, tally in self.queues.items() if tally.wrong}

    def most_failing_runners(self) -> list[tuple[str, Tally]]:
        """Return the runners whose jobs error or fail most."""
        return sorted(((name, each) for name, each in self.runners.items() if each.wrong), key=lambda e: -e[1].wrong)

    def slowest_queues(self) -> list[tuple[str, Tally]]:
        """Return the queues, with the longest waits first: by the time that 95 % of the jobs did not exceed."""
        return _ranked(self.queues, lambda tally: tally.waits.percentile(95))

    def slowest_runners(self) -> list[tuple[str, Tally]]:
        """Return the runners, with the longest runs first: by the time that 95 % of the jobs did not exceed."""
        return _ranked(self.runners, lambda tally: tally.runs.percentile(95))


# What this process added up last, by database and period, and when, on its monotonic clock.
_found: dict[tuple[str, str], tuple[float, Performance]] = {}
# The statistics that this process added up last, with what tells that there are others by now: the hours that are over
# do not change.
_statistics: dict[tuple[str, str], tuple[Any, Performance]] = {}


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


def waiting_by_runner() -> dict[str, tuple[int, datetime]]:
    """Return how many jobs of each runner wait and could run, and since when the oldest could.

    Of all waiting jobs, `WAITING` + 1 are read: those that could run first.
    """
    found: dict[str, tuple[int, datetime]] = {}
    jobs = Job.objects.using(database()).filter(status=JobStatusChoices.STATUS_PENDING, due__lte=clock.now_ms())
    for runner, due in jobs.order_by('due').values_list('runner', 'due')[: WAITING + 1]:
        number, oldest = found.get(runner) or (0, clock.from_ms(due or 0))
        found[runner] = number + 1, oldest
    return found


def _take(period: str, now: datetime) -> Performance:
    using, length = database(), PERIODS[period]
    whole = length > _HOUR  # statistics have no parts of an hour
    since = start_of_hour(now) + _HOUR - length if whole else now - length
    found = Performance(period, since, now)
    if length <= _DAY:
        first = start_of_hour(since)
        found.hours = {first + number * _HOUR: Tally() for number in range((now - first) // _HOUR + 1)}
    if whole:
        since = _add_statistics(found, using)
    jobs = Job.objects.using(using).filter(completed__gte=since)
    cut = jobs.order_by('-completed').values_list('completed', flat=True)[ADDED_UP : ADDED_UP + 1].first()
    if cut is not None:
        found.left_out, jobs = cut - since, jobs.filter(completed__gt=cut)
    _add(found, hourly(jobs))
    return found


def _add_statistics(found: Performance, using: str) -> datetime:
    """Add the statistics of whole hours; return when the hours without statistics begin."""
    rows = HourlyStatistics.objects.using(using).filter(hour__gte=found.since)
    seen = rows.aggregate(last=Max('hour'), parts=Count('pk'), jobs=Sum('count'))
    if (last := seen['last']) is None:
        return found.since
    known, whole = _statistics.get((using, found.period), (None, None))
    if whole is None or known != (found.since, seen):
        whole = Performance(found.period, found.since, found.until, hours={hour: Tally() for hour in found.hours})
        _add(whole, stored(rows.filter(hour__lte=last)))
        _statistics[using, found.period] = (found.since, seen), whole
    for name in ('queues', 'runners', 'hours'):
        sums: dict[Any, Tally] = getattr(found, name)
        for key, tally in getattr(whole, name).items():
            sums.setdefault(key, Tally()).merge(tally)
    return last + _HOUR


def _add(found: Performance, parts: HourlyTallies) -> None:
    pairs: Tallies = {}
    for (hour, queue, runner), tally in parts.items():
        pairs.setdefault((queue, runner), Tally()).merge(tally)  # a week has thousands of parts, and few pairs
        if (of_hour := found.hours.get(hour)) is not None:
            of_hour.merge(tally)
    for (queue, runner), tally in pairs.items():
        found.queues.setdefault(queue, Tally()).merge(tally)
        found.runners.setdefault(runner, Tally()).merge(tally)


def _ranked(of: dict[str, Tally], key: Callable[[Tally], timedelta | None]) -> list[tuple[str, Tally]]:
    return sorted(of.items(), key=lambda item: (key(item[1]) or timedelta(), item[1].count), reverse=True)

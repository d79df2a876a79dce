"""What ended in the last minutes, by queue, runner and status, and for how long these jobs waited and ran."""

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, DurationField, ExpressionWrapper, F, Q, QuerySet, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from ..models import Job, database

#: The minutes that are added up, and how many jobs at most: the newest.
MINUTES = 15
ADDED_UP = 20_000
#: If more jobs than `LARGE` ended in that time, they are added up again after `FRESH` seconds at the earliest.
LARGE, FRESH = 1_000, 10.0
#: The upper bounds of the groups of times, in seconds.
BOUNDS = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0)


@dataclass
class Times:
    """How many times are at most as long as each of `BOUNDS`; how many there are, and their sum in seconds."""

    within: list[int] = field(default_factory=lambda: [0] * len(BOUNDS))
    count: int = 0
    sum: float = 0.0

    def merge(self, others: 'Times') -> None:
        """Add other times to these."""
        self.within = [one + other for one, other in zip(self.within, others.within, strict=True)]
        self.count += others.count
        self.sum += others.sum


@dataclass
class Group:
    """The jobs of one queue, runner and status that ended."""

    queue: str
    runner: str
    status: str
    count: int
    waits: Times
    runs: Times


@dataclass
class Recent:
    """The jobs that ended since a moment."""

    since: datetime
    until: datetime
    groups: list[Group]

    @property
    def seconds(self) -> float:
        """The length of the time: less than `MINUTES` if more jobs have ended than are added up."""
        return max(0.0, (self.until - self.since).total_seconds())


# What this process added up last, by database, and when, on its monotonic clock.
_found: dict[str, tuple[float, Recent]] = {}


def take() -> Recent:
    """Return what ended in the last minutes; on a busy site, up to `FRESH` seconds old."""
    using = database()
    when, known = _found.get(using, (0.0, None))
    if known is not None and time.monotonic() - when < FRESH:
        return known
    recent = _add_up(using, timezone.now())
    if sum(group.count for group in recent.groups) > LARGE:
        _found[using] = time.monotonic(), recent
    else:
        _found.pop(using, None)
    return recent


def _add_up(using: str, now: datetime) -> Recent:
    """Read the index on `completed`."""
    since = now - timedelta(minutes=MINUTES)
    jobs = Job.objects.using(using).filter(completed__gte=since)
    cut = jobs.order_by('-completed').values_list('completed', flat=True)[ADDED_UP : ADDED_UP + 1].first()
    if cut is not None:
        since, jobs = cut, jobs.filter(completed__gt=cut)
    return Recent(since, now, [_group(row) for row in _rows(jobs)])


def _rows(jobs: 'QuerySet[Job]') -> Any:
    waited = ExpressionWrapper(F('started') - Coalesce(F('scheduled'), F('created')), output_field=DurationField())
    first = Q(attempt=1, started__isnull=False)  # a later attempt has waited for its backoff as well
    within: dict[str, Any] = {}
    for number, bound in enumerate(BOUNDS):
        limit = timedelta(seconds=bound)
        within[f'ran_{number}'] = Count('pk', filter=Q(execution_time__lte=limit))
        within[f'waited_{number}'] = Count('pk', filter=first & Q(waited__lte=limit))
    grouped = jobs.order_by().alias(waited=waited).values('queue_name', 'runner', 'status')
    return grouped.annotate(
        number=Count('pk'),
        waits=Count('pk', filter=first),
        waited_sum=Sum('waited', filter=first),
        runs=Count('execution_time'),
        ran_sum=Sum('execution_time'),
        **within,
    )


def _group(row: dict[str, Any]) -> Group:
    def times(kind: str, count: str) -> Times:
        within = [row[f'{kind}_{number}'] for number in range(len(BOUNDS))]
        return Times(within, row[count], (row[f'{kind}_sum'] or timedelta()).total_seconds())

    waits, runs = times('waited', 'waits'), times('ran', 'runs')
    return Group(row['queue_name'], row['runner'], row['status'], row['number'], waits, runs)

"""What ended in the last day: by hour, by runner, and how many jobs failed by queue."""

import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, DurationField, ExpressionWrapper, F, Max, Q, QuerySet, Sum
from django.db.models.functions import Coalesce, TruncHour
from django.utils import timezone

from ..choices import JobStatusChoices
from ..models import Job, database

#: How many jobs that ended are added up at most: the newest.
ADDED_UP = 100_000
#: If more jobs than `LARGE` ended in the last day, they are added up again after `FRESH` seconds at the earliest.
LARGE, FRESH = 1_000, 15.0
HOURS = 24

_FAILED = (JobStatusChoices.STATUS_FAILED, JobStatusChoices.STATUS_ERRORED)


@dataclass
class Tally:
    """The outcomes and times of some jobs."""

    count: int = 0
    errored: int = 0
    failed: int = 0
    canceled: int = 0
    waited: timedelta = timedelta()
    waits: int = 0
    ran: timedelta = timedelta()
    runs: int = 0
    longest: timedelta = timedelta()

    def add(self, row: dict[str, Any]) -> None:
        """Add a group of jobs."""
        self.count += row['number']
        self.errored += row['number'] if row['status'] == JobStatusChoices.STATUS_ERRORED else 0
        self.failed += row['number'] if row['status'] == JobStatusChoices.STATUS_FAILED else 0
        self.canceled += row['number'] if row['status'] == JobStatusChoices.STATUS_CANCELED else 0
        self.waited += row['waited'] or timedelta()
        self.waits += row['waits']
        self.ran += row['ran'] or timedelta()
        self.runs += row['runs']
        self.longest = max(self.longest, row['longest'] or timedelta())

    @property
    def completed(self) -> int:
        """How many jobs completed."""
        return self.count - self.wrong - self.canceled

    @property
    def wrong(self) -> int:
        """How many jobs errored or failed."""
        return self.errored + self.failed

    @property
    def wait(self) -> timedelta | None:
        """How long the jobs waited for a worker, on average."""
        return self.waited / self.waits if self.waits else None

    @property
    def run(self) -> timedelta | None:
        """How long the jobs ran, on average."""
        return self.ran / self.runs if self.runs else None

    @property
    def failure_rate(self) -> int:
        """How many percent of the jobs errored or failed."""
        return round(self.wrong * 100 / self.count) if self.count else 0


@dataclass
class Day:
    """The jobs that ended in the last 24 hours."""

    since: datetime
    hours: list[tuple[datetime, Tally]]
    runners: dict[str, Tally]
    failed: dict[str, int]
    total: Tally = field(default_factory=Tally)
    #: From when on jobs are counted, if more have ended than are added up.
    cut: datetime | None = None

    @property
    def slowest(self) -> list[tuple[str, Tally]]:
        """The runners that take longest, on average."""
        ranked = [(path, tally) for path, tally in self.runners.items() if tally.run]
        return sorted(ranked, key=lambda item: item[1].run or timedelta(), reverse=True)[:8]

    @property
    def most_failing(self) -> list[tuple[str, Tally]]:
        """The runners whose jobs error or fail most."""
        ranked = [(path, tally) for path, tally in self.runners.items() if tally.wrong]
        return sorted(ranked, key=lambda item: item[1].wrong, reverse=True)[:8]


# What this process added up last, by database, and when, on its monotonic clock.
_days: dict[str, tuple[float, Day]] = {}


def last_day() -> Day:
    """Return what ended in the last 24 hours, this one included; after a busy day, up to `FRESH` seconds old."""
    using = database()
    since = timezone.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS - 1)
    when, day = _days.get(using, (0.0, None))
    if day is not None and day.since == since and time.monotonic() - when < FRESH:
        return day
    day = _add_up(using, since)
    if day.total.count > LARGE:
        _days[using] = time.monotonic(), day
    else:
        _days.pop(using, None)
    return day


def _add_up(using: str, since: datetime) -> Day:
    """Read the index on `completed`."""
    jobs = Job.objects.using(using).filter(completed__gte=since)
    cut = jobs.order_by('-completed').values_list('completed', flat=True)[ADDED_UP : ADDED_UP + 1].first()
    if cut is not None:
        jobs = jobs.filter(completed__gt=cut)
    hours = [since + timedelta(hours=number) for number in range(HOURS)]
    by_hour = {_utc(hour): Tally() for hour in hours}
    runners: dict[str, Tally] = defaultdict(Tally)
    failed: dict[str, int] = defaultdict(int)
    total = Tally()
    for row in _groups(jobs):
        for tally in (by_hour.get(_utc(row['hour'])), runners[row['runner']], total):
            if tally is not None:
                tally.add(row)
        if row['status'] in _FAILED:
            failed[row['queue_name']] += row['number']
    runners.pop('', None)
    return Day(since, [(hour, by_hour[_utc(hour)]) for hour in hours], dict(runners), dict(failed), total, cut)


def _groups(jobs: 'QuerySet[Job]') -> Any:
    waited = ExpressionWrapper(F('started') - Coalesce(F('scheduled'), F('created')), output_field=DurationField())
    # A later attempt has waited for its backoff as well.
    first = Q(attempt=1, started__isnull=False)
    grouped = jobs.order_by().values(
        'queue_name', 'runner', 'status', hour=TruncHour('completed', tzinfo=UTC if settings.USE_TZ else None)
    )
    return grouped.annotate(
        number=Count('pk'),
        waited=Sum(waited, filter=first),
        waits=Count('pk', filter=first),
        ran=Sum('execution_time'),
        runs=Count('execution_time'),
        longest=Max('execution_time'),
    )


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if timezone.is_aware(moment) else moment

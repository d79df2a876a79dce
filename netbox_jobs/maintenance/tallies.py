"""Outcomes and times of jobs that ended, added up by the database: from rows of jobs, and from hourly statistics."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Case, Count, DurationField, ExpressionWrapper, F, IntegerField, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce, TruncHour

from ..choices import JobStatusChoices
from ..core.histogram import BOUNDS, Histogram
from ..models import HourlyStatistics, Job


@dataclass
class Tally:
    """The outcomes of some jobs, and for how long they waited and ran."""

    count: int = 0
    errored: int = 0
    failed: int = 0
    canceled: int = 0
    waits: Histogram = field(default_factory=Histogram)
    runs: Histogram = field(default_factory=Histogram)

    @property
    def completed(self) -> int:
        """How many jobs completed."""
        return self.count - self.wrong - self.canceled

    @property
    def wrong(self) -> int:
        """How many jobs errored or failed."""
        return self.errored + self.failed

    @property
    def failure_rate(self) -> float:
        """How many percent of the jobs errored or failed."""
        return self.wrong * 100 / self.count if self.count else 0.0

    def merge(self, other: 'Tally') -> None:
        """Add the jobs of another tally."""
        self.count += other.count
        self.errored += other.errored
        self.failed += other.failed
        self.canceled += other.canceled
        self.waits.merge(other.waits)
        self.runs.merge(other.runs)


#: By queue and runner.
Tallies = dict[tuple[str, str], Tally]
#: By the beginning of the hour, queue and runner.
HourlyTallies = dict[tuple[datetime, str, str], Tally]


def tallies(jobs: 'QuerySet[Job]') -> Tallies:
    """Add up jobs that ended, in one query.

    The wait of a job is the time from when it could run to when it started; only first attempts count, as a later one
    has waited for its backoff as well.
    """
    return _add_up(jobs, ('queue_name', 'runner'))


def hourly(jobs: 'QuerySet[Job]') -> HourlyTallies:
    """Add up jobs that ended by the hour, in one query; see `tallies()`."""
    hour = TruncHour('completed', tzinfo=UTC if settings.USE_TZ else None)
    return _add_up(jobs.annotate(hour=hour), ('hour', 'queue_name', 'runner'))


def _add_up(jobs: 'QuerySet[Job, Any]', names: tuple[str, ...]) -> dict[Any, Tally]:
    found: dict[Any, Tally] = defaultdict(Tally)
    waited = ExpressionWrapper(F('started') - Coalesce(F('scheduled'), F('created')), output_field=DurationField())
    first = Q(attempt=1, started__isnull=False)
    grouped = (
        jobs.order_by()
        .alias(waited=waited)
        .values(
            *names,
            'status',
            wait=Case(When(first, then=_group('waited')), default=None, output_field=IntegerField()),
            run=Case(When(execution_time__isnull=False, then=_group('execution_time')), default=None),
        )
    )
    for row in grouped.annotate(number=Count('pk')):
        tally, number, status = found[tuple(row[name] for name in names)], row['number'], row['status']
        tally.count += number
        tally.errored += number if status == JobStatusChoices.STATUS_ERRORED else 0
        tally.failed += number if status == JobStatusChoices.STATUS_FAILED else 0
        tally.canceled += number if status == JobStatusChoices.STATUS_CANCELED else 0
        for group, histogram in ((row['wait'], tally.waits), (row['run'], tally.runs)):
            if group is not None:
                histogram.add(group, number)
    return dict(found)


def _group(length: str, low: int = 0, high: int = len(BOUNDS)) -> Any:
    """Return the expression for the group of a column: a search that halves the groups with each comparison."""
    if low == high:
        return Value(low)
    middle = (low + high) // 2
    return Case(
        When(**{f'{length}__lte': timedelta(seconds=BOUNDS[middle])}, then=_group(length, low, middle)),
        default=_group(length, middle + 1, high),
        output_field=IntegerField(),
    )


def stored(rows: 'QuerySet[HourlyStatistics]') -> HourlyTallies:
    """Return hourly statistics as `hourly()` returns those of jobs."""
    names = ('hour', 'queue_name', 'runner', 'count', 'errored', 'failed', 'canceled', 'waits', 'runs')
    return {
        (hour, queue, runner): Tally(count, errored, failed, canceled, Histogram(waits), Histogram(runs))
        for hour, queue, runner, count, errored, failed, canceled, waits, runs in rows.values_list(*names)
    }

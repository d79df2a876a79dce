"""The statistics of each hour: added up once, when the hour is over, from the jobs that ended in it."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from ..models import HourlyStatistics, Job, database
from .tallies import Tally, tallies

#: How many hours of statistics are kept: more than a week, which is the longest period that is shown.
KEPT = 24 * 8
#: An hour is added up when it has been over for so long: an end is stored a moment after it is timed.
SETTLED = timedelta(minutes=2)
_HOUR = timedelta(hours=1)


def roll_up(*, between: Callable[[], None] = lambda: None) -> int:
    """Add up all hours that are over and have no statistics yet, and delete the oldest statistics.

    Each hour is written by one statement, so that a worker that dies leaves whole hours; two workers that add up the
    same hour write it once.

    Args:
        between: Called between two hours.

    Returns:
        How many hours with jobs were added up.
    """
    rows = HourlyStatistics.objects.using(database())
    last = start_of_hour(timezone.now() - SETTLED)
    oldest = last - KEPT * _HOUR
    latest = rows.order_by('-hour').values_list('hour', flat=True).first()
    start = oldest if latest is None else max(oldest, latest + _HOUR)
    added = 0
    while (hour := _next_hour(start, last)) is not None:
        _add_up(hour)
        added += 1
        start = hour + _HOUR
        between()
    rows.filter(hour__lt=oldest)._raw_delete(rows.db)
    return added


def start_of_hour(moment: datetime) -> datetime:
    """Return when the hour of a moment began; hours begin as they do in UTC."""
    if settings.USE_TZ:
        moment = moment.astimezone(UTC)
    return moment.replace(minute=0, second=0, microsecond=0)


def _next_hour(start: datetime, end: datetime) -> datetime | None:
    """Return the first hour in which jobs ended."""
    jobs = Job.objects.using(database()).filter(completed__gte=start, completed__lt=end)
    first = jobs.order_by('completed').values_list('completed', flat=True).first()
    return None if first is None else start_of_hour(first)


def _add_up(hour: datetime) -> None:
    using = database()
    jobs = Job.objects.using(using).filter(completed__gte=hour, completed__lt=hour + _HOUR)
    with transaction.atomic(using=using):
        HourlyStatistics.objects.using(using).bulk_create(_rows(hour, tallies(jobs).items()), ignore_conflicts=True)


def _rows(hour: datetime, found: Iterable[tuple[tuple[str, str], Tally]]) -> list[Any]:
    return [
        HourlyStatistics(
            hour=hour,
            queue_name=queue,
            runner=runner,
            count=tally.count,
            errored=tally.errored,
            failed=tally.failed,
            canceled=tally.canceled,
            waits=tally.waits.stored(),
            runs=tally.runs.stored(),
        )
        for (queue, runner), tally in found
    ]

"""What went wrong of late, by cause: jobs that errored or failed, grouped by their fingerprints."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Case, Count, IntegerField, Max, Min, QuerySet, Value, When
from django.db.models.functions import Left
from django.utils import timezone

from ..core import errors
from ..models import Job, MutedError, database
from . import counts

#: How many groups are listed at most: the most frequent.
GROUPS = 30
#: Of how many workers a group names the most frequent ones.
WORKERS = 3
#: How many combinations of an error, a queue and a worker are read at most: those with most jobs.
_PLACES = 5_000
#: How many fingerprints a statement names at most; SQLite takes no more values than this, and MariaDB no plan for them.
_NAMED = 500
#: How many bars a group's sparkline has.
BARS = 24
#: How much of an error is read.
_START = 1000


@dataclass
class ErrorGroup:
    """Jobs that ended with errors of one cause."""

    fingerprint: str
    runner: str
    count: int
    first: datetime
    last: datetime
    #: The primary key of the newest of the jobs, and the first line of its error, in words.
    newest: int
    message: str = ''
    queues: list[str] = field(default_factory=list)
    #: The workers in which the jobs ended, the most frequent first, as far as they are known.
    workers: list[str] = field(default_factory=list)
    #: How many of the jobs ended in each part of the period, the earliest first.
    bars: list[int] = field(default_factory=lambda: [0] * BARS)
    #: Whether no job has ended with this error before the period.
    new: bool = False
    muted: bool = False

    @property
    def main_workers(self) -> list[str]:
        """The workers that are named, the most frequent first."""
        return self.workers[:WORKERS]

    @property
    def other_workers(self) -> int:
        """How many more there are."""
        return len(self.workers) - len(self.main_workers)


def failed_jobs(since: datetime) -> 'QuerySet[Job]':
    """Return the jobs that ended with an error since then."""
    return Job.objects.using(database()).filter(fingerprint__gt='', completed__gte=since)


def groups(period: timedelta, *, queue: str = '', runner: str = '', limit: int = GROUPS) -> list[ErrorGroup]:
    """Return the errors of the latest period, the most frequent first; muted errors come last.

    The cost grows with the number of jobs that ended with an error in the period, not with the number of jobs.

    Args:
        period: How long back.
        queue: Only jobs of this queue.
        runner: Only jobs of the runner with this dotted path.
        limit: How many groups at most.
    """
    now = timezone.now()
    jobs = failed_jobs(now - period).order_by()
    if queue:
        jobs = jobs.filter(queue_name=queue)
    if runner:
        jobs = jobs.filter(runner=runner)
    counted = (
        _by_fingerprint(jobs)
        .values('fingerprint', 'runner')
        .annotate(count=Count('pk'), first=Min('completed'), last=Max('completed'), newest=Max('pk'))
    )
    found = {row['fingerprint']: ErrorGroup(**row) for row in counted.order_by('-count', '-last')[:limit]}
    if found:
        _read_messages(found.values())
        jobs = jobs.filter(fingerprint__in=found)
        _add_places(found, jobs)
        _count_bars(found, jobs, now - period, period)
        _mark(found, now - period)
    return sorted(found.values(), key=lambda group: group.muted)


def _by_fingerprint(jobs: 'QuerySet[Job]') -> 'QuerySet[Job]':
    """Name all fingerprints, with which the index begins: the database then reads the entries of the period alone."""
    known = counts.values('fingerprint', _NAMED + 1, empty=False)
    return jobs.filter(fingerprint__in=known) if len(known) <= _NAMED else jobs


def _add_places(found: dict[str, ErrorGroup], jobs: 'QuerySet[Job]') -> None:
    """Set the queues, and the workers by how many of the jobs ended in each."""
    numbers: dict[str, Counter[str]] = {fingerprint: Counter() for fingerprint in found}
    places = jobs.values_list('fingerprint', 'queue_name', 'ran_on').annotate(number=Count('pk'))
    for fingerprint, queue, worker, number in places.order_by('-number', 'ran_on')[:_PLACES]:
        if queue not in found[fingerprint].queues:
            found[fingerprint].queues.append(queue)
        if worker:
            numbers[fingerprint][worker] += number
    for fingerprint, group in found.items():
        group.queues.sort()
        group.workers = [worker for worker, _number in numbers[fingerprint].most_common()]


def _read_messages(found: Iterable[ErrorGroup]) -> None:
    starts = Job.objects.using(database()).filter(pk__in=[group.newest for group in found])
    texts = dict(starts.values_list('pk', Left('error', _START)))
    for group in found:
        group.message = errors.line(texts.get(group.newest, ''))


def _count_bars(found: dict[str, ErrorGroup], jobs: 'QuerySet[Job]', since: datetime, period: timedelta) -> None:
    bar = _bar([since + period * number / BARS for number in range(1, BARS)])
    for fingerprint, place, number in jobs.values_list('fingerprint', bar).annotate(number=Count('*')):
        found[fingerprint].bars[place] += number


def _bar(ends: list[datetime], low: int = 0) -> Any:
    """Return the expression for the number of the bar: a search that halves the bars with each comparison."""
    if not ends:
        return Value(low)
    middle = len(ends) // 2
    return Case(
        When(completed__lt=ends[middle], then=_bar(ends[:middle], low)),
        default=_bar(ends[middle + 1 :], low + middle + 1),
        output_field=IntegerField(),
    )


def _mark(found: dict[str, ErrorGroup], since: datetime) -> None:
    using = database()
    earlier = Job.objects.using(using).filter(completed__lt=since).order_by('completed').values('pk')
    known = counts.firsts_by_key(found, lambda fingerprint: earlier.filter(fingerprint=fingerprint), no_key='')
    muted = set(MutedError.objects.using(using).filter(pk__in=found).values_list('pk', flat=True))
    for fingerprint, group in found.items():
        group.new, group.muted = known[fingerprint] is None, fingerprint in muted


def example(fingerprint: str) -> Job | None:
    """Return the newest job that ended with this error; None if there is none."""
    return Job.objects.using(database()).filter(fingerprint=fingerprint).order_by('-completed').first()

"""What went wrong of late, by cause: jobs that errored or failed, grouped by their fingerprints."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db.models import Count, Max, Min, QuerySet
from django.db.models.functions import Left, TruncHour, TruncMinute
from django.utils import timezone

from ..core import errors
from ..models import Job, MutedError, database

#: How many groups are listed at most: the most frequent.
GROUPS = 50
#: Of how many workers a group names the most frequent ones.
WORKERS = 3
#: How many pairs of an error and a worker are read at most.
_PAIRS = 1_000
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
    """Return the jobs that ended with an error since then; an index on fingerprints serves the query."""
    return Job.objects.using(database()).filter(fingerprint__gt='', completed__gte=since)


def groups(period: timedelta, *, queue: str = '', runner: str = '', limit: int = GROUPS) -> list[ErrorGroup]:
    """Return the errors of the latest period, the most frequent first; muted errors come last.

    The cost grows with the number of jobs that ended with an error, not with the number of jobs.

    Args:
        period: How long back.
        queue: Only jobs of this queue.
        runner: Only jobs of the runner with this dotted path.
        limit: How many groups at most.
    """
    now = timezone.now()
    jobs = failed_jobs(now - period)
    if queue:
        jobs = jobs.filter(queue_name=queue)
    if runner:
        jobs = jobs.filter(runner=runner)
    grouped = jobs.order_by().values('fingerprint', 'runner')
    counted = grouped.annotate(
        count=Count('pk'), first=Min('completed'), last=Max('completed'), newest=Max('pk')
    ).order_by('-count', '-last')
    found = {row['fingerprint']: ErrorGroup(**row) for row in counted[:limit]}
    if found:
        _read_messages(found.values())
        jobs = jobs.order_by().filter(fingerprint__in=found)
        for fingerprint, name in jobs.values_list('fingerprint', 'queue_name').distinct():
            found[fingerprint].queues.append(name)
        per_worker = jobs.exclude(ran_on='').values_list('fingerprint', 'ran_on').annotate(number=Count('pk'))
        for fingerprint, name, _number in per_worker.order_by('-number', 'ran_on')[:_PAIRS]:
            found[fingerprint].workers.append(name)
        _count_bars(found, jobs, now - period, period)
        _mark(found, now - period)
    return sorted(found.values(), key=lambda group: group.muted)


def _read_messages(found: Iterable[ErrorGroup]) -> None:
    starts = Job.objects.using(database()).filter(pk__in=[group.newest for group in found])
    texts = dict(starts.values_list('pk', Left('error', _START)))
    for group in found:
        group.message = errors.line(texts.get(group.newest, ''))


def _count_bars(found: dict[str, ErrorGroup], jobs: 'QuerySet[Job]', since: datetime, period: timedelta) -> None:
    trunc = TruncMinute if period <= timedelta(hours=2) else TruncHour
    part = trunc('completed', tzinfo=UTC if settings.USE_TZ else None)
    for row in jobs.values('fingerprint', part=part).annotate(number=Count('pk')):
        place = int((row['part'] - since) / period * BARS)
        found[row['fingerprint']].bars[min(max(place, 0), BARS - 1)] += row['number']


def _mark(found: dict[str, ErrorGroup], since: datetime) -> None:
    using = database()
    earlier = Job.objects.using(using).filter(fingerprint__in=found, completed__lt=since)
    known = set(earlier.order_by().values_list('fingerprint', flat=True).distinct())
    muted = set(MutedError.objects.using(using).filter(pk__in=found).values_list('pk', flat=True))
    for fingerprint, group in found.items():
        group.new, group.muted = fingerprint not in known, fingerprint in muted
        group.queues.sort()


def example(fingerprint: str) -> Job | None:
    """Return the newest job that ended with this error; None if there is none."""
    return Job.objects.using(database()).filter(fingerprint=fingerprint).order_by('-completed').first()

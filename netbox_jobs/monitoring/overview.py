"""How things stand: queues, the last day, schedules, workers. The same few statements, whatever the number of jobs."""

import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Count, DurationField, ExpressionWrapper, F, Max, Q, QuerySet, Sum
from django.db.models.functions import Coalesce, TruncHour
from django.utils import timezone

from ..choices import JobStatusChoices
from ..core import clock, queues
from ..models import Job, PausedQueue, Progress, Schedule, Worker, database
from . import counts

#: So many jobs of a queue are counted in each status,
COUNTED = 5_000
#: and so many of those that ended of late are added up, the newest.
ADDED_UP = 100_000
#: If more than so many have ended in the last day, they are added up again after so many seconds at the earliest.
LARGE, FRESH = 1_000, 15.0
HOURS = 24
#: Seconds after which a worker whose counter stands still is called silent (it counts every five).
SILENT = 30

_FAILED = (JobStatusChoices.STATUS_FAILED, JobStatusChoices.STATUS_ERRORED)


# Queues


@dataclass
class QueueState:
    """How a queue stands. Numbers of jobs go up to `COUNTED` + 1."""

    name: str
    waiting: int = 0
    scheduled: int = 0
    running: int = 0
    failed: int = 0
    oldest: timedelta | None = None
    workers: int = 0
    paused: datetime | None = None
    configured: bool = True

    @property
    def unserved(self) -> bool:
        """Whether no worker would take its jobs."""
        return self.workers == 0


def queue_states(workers: Iterable[Worker], failed: dict[str, int]) -> list[QueueState]:
    """All queues that are configured, and those that jobs wait or run in without that; in the order of priority.

    Args:
        workers: Those that live.
        failed: How many have failed of late, by queue.
    """
    names = queue_names()
    found = {name: QueueState(name, configured=configured) for name, configured in names.items()}
    now = clock.now_ms()
    jobs = Job.objects.using(database())
    wanted: dict[tuple[str, str], QuerySet[Job]] = {}
    oldest: dict[tuple[str, str], Any] = {}
    for name in found:
        own = jobs.filter(queue_name=name)
        scheduled = own.filter(status=JobStatusChoices.STATUS_SCHEDULED)
        wanted[name, 'pending'] = own.filter(status=JobStatusChoices.STATUS_PENDING)
        wanted[name, 'overdue'] = scheduled.filter(due__lte=now)
        wanted[name, 'scheduled'] = scheduled.filter(due__gt=now)
        wanted[name, 'running'] = own.filter(status=JobStatusChoices.STATUS_RUNNING)
        for key in ('pending', 'overdue'):
            due = wanted[name, key].filter(due__isnull=False)
            oldest[name, key] = due.order_by('due').values('due')
    numbers, dues = counts.counts(wanted, COUNTED), counts.firsts(oldest)
    paused = dict(PausedQueue.objects.using(database()).values_list('name', 'since'))
    serving = [worker.queues.replace(',', ' ').split() for worker in workers]
    for name, state in found.items():
        state.waiting = min(numbers[name, 'pending'] + numbers[name, 'overdue'], COUNTED + 1)
        state.scheduled, state.running = numbers[name, 'scheduled'], numbers[name, 'running']
        since = min((due for due in (dues[name, 'pending'], dues[name, 'overdue']) if due is not None), default=None)
        state.oldest = None if since is None else timedelta(milliseconds=max(now - int(since), 0))
        state.failed = failed.get(name, 0)
        state.workers = sum(name in served for served in serving)
        state.paused = paused.get(name)
    return [
        state
        for state in found.values()
        if state.configured or state.waiting or state.running or state.scheduled or state.paused
    ]


def queue_names() -> dict[str, bool]:
    try:
        known = queues.configured()
    except ImproperlyConfigured:
        known = {}
    ordered = [name for name in queues.DEFAULT_QUEUES if name in known]
    names = dict.fromkeys([*ordered, *sorted(known)], True)
    for name in counts.values('queue_name'):
        if name:
            names.setdefault(name, False)
    return names


# The last day


@dataclass
class Tally:
    """What came of some jobs."""

    count: int = 0
    failed: int = 0
    canceled: int = 0
    waited: timedelta = timedelta()
    waits: int = 0
    ran: timedelta = timedelta()
    runs: int = 0
    longest: timedelta = timedelta()

    def add(self, row: dict[str, Any]) -> None:
        """Count a group of jobs in."""
        self.count += row['number']
        self.failed += row['number'] if row['status'] in _FAILED else 0
        self.canceled += row['number'] if row['status'] == JobStatusChoices.STATUS_CANCELED else 0
        self.waited += row['waited'] or timedelta()
        self.waits += row['waits']
        self.ran += row['ran'] or timedelta()
        self.runs += row['runs']
        self.longest = max(self.longest, row['longest'] or timedelta())

    @property
    def completed(self) -> int:
        """How many ended well."""
        return self.count - self.failed - self.canceled

    @property
    def wait(self) -> timedelta | None:
        """How long they waited for a worker, on average."""
        return self.waited / self.waits if self.waits else None

    @property
    def run(self) -> timedelta | None:
        """How long they ran, on average."""
        return self.ran / self.runs if self.runs else None

    @property
    def failing(self) -> int:
        """How many of a hundred failed."""
        return round(self.failed * 100 / self.count) if self.count else 0


@dataclass
class Day:
    """What ended in the last day: by hour, by runner, and how many failed by queue."""

    since: datetime
    hours: list[tuple[datetime, Tally]]
    runners: dict[str, Tally]
    failed: dict[str, int]
    total: Tally = field(default_factory=Tally)
    #: From when on jobs are counted, if there are more than are added up.
    cut: datetime | None = None

    @property
    def slowest(self) -> list[tuple[str, Tally]]:
        """The runners that take longest, on average."""
        ranked = [(path, tally) for path, tally in self.runners.items() if tally.run]
        return sorted(ranked, key=lambda item: item[1].run or timedelta(), reverse=True)[:8]

    @property
    def most_failing(self) -> list[tuple[str, Tally]]:
        """The runners whose jobs fail most."""
        ranked = [(path, tally) for path, tally in self.runners.items() if tally.failed]
        return sorted(ranked, key=lambda item: item[1].failed, reverse=True)[:8]


# By database: what was added up last in this process, and when, on its monotonic clock.
_days: dict[str, tuple[float, Day]] = {}


def last_day() -> Day:
    """What ended in the last 24 hours, up to this one; where that is much, as it was up to `FRESH` seconds ago."""
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
    """By the index on `completed`."""
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


# Workers


@dataclass
class WorkerState:
    """A worker, what it does now, and for how long it has given no sign of life."""

    worker: Worker
    jobs: list[Job]
    silent: float | None = None

    @property
    def serves(self) -> list[str]:
        """The names of its queues."""
        return self.worker.queues.replace(',', ' ').split()


# What this process has seen of the workers' counters, by token: the count, and when it was first seen, on its own
# monotonic clock (no two clocks need to agree).
_beats: dict[str, tuple[int, float]] = {}


def worker_states() -> list[WorkerState]:
    """All workers with the jobs that they run now."""
    using = database()
    workers = list(Worker.objects.using(using).order_by('name')[:500])
    tokens = {worker.token for worker in workers}
    running: dict[str, list[Job]] = defaultdict(list)
    fields = ('pk', 'name', 'runner', 'started', 'status', 'worker', 'queue_name')
    jobs = list(Job.objects.using(using).running().exclude(worker=None).only(*fields).order_by('due')[:1000])
    told = Progress.objects.using(using).in_bulk([job.pk for job in jobs]) if jobs else {}
    for job in jobs:
        job.shown_progress = told.get(job.pk)  # type: ignore[attr-defined]
        running[job.worker or ''].append(job)
    for token in _beats.keys() - tokens:
        del _beats[token]
    return [WorkerState(worker, running[worker.token], _silent(worker)) for worker in workers]


def _silent(worker: Worker) -> float | None:
    now = time.monotonic()
    beats, since = _beats.get(worker.token, (None, now))
    if beats != worker.beats:
        _beats[worker.token] = worker.beats, now
        return None
    return now - since if now - since > SILENT else None


# Schedules


@dataclass
class ScheduleState:
    """A schedule with the job that ended last, and the one that waits or runs."""

    schedule: Schedule
    last: Job | None = None
    next: Job | None = None
    running: Job | None = None


def schedule_states(schedules: 'QuerySet[Schedule]') -> list[ScheduleState]:
    """These schedules; each with its latest jobs, by the index on schedule and key."""
    using = database()
    jobs = Job.objects.using(using)
    rows = list(schedules.using(using))
    lasts = counts.firsts({row.pk: row.ended_jobs.values('pk') for row in rows})
    keys = {key for key in lasts.values() if key is not None}
    fields = ('pk', 'name', 'status', 'completed', 'started', 'scheduled', 'created', 'schedule_id', 'execution_time')
    found = jobs.only(*fields).in_bulk(keys)
    waiting = {job.slot: job for job in jobs.only(*fields, 'slot').filter(slot__in=lasts)}
    # All that run: they are few, and for those of some schedules, a planner may read all that these have ever run.
    running = {job.schedule_id: job for job in jobs.running().only(*fields)}
    return [ScheduleState(row, found.get(lasts[row.pk]), waiting.get(row.pk), running.get(row.pk)) for row in rows]

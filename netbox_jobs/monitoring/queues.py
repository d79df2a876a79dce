"""The state of the queues, from a number of statements that does not depend on how many jobs there are."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db.models import QuerySet

from ..choices import JobStatusChoices
from ..core import clock, limits, queues
from ..lifecycle.limits import queue_limits
from ..models import Job, PausedQueue, Worker, database
from . import counts, performance

#: How many jobs of a queue are counted in each status.
COUNTED = 5_000


@dataclass
class QueueState:
    """A queue as it is now. Numbers of jobs are counted up to a limit, and are one more than it if there are more."""

    name: str
    #: Jobs that could run now, and those that wait for other jobs or for a slot of a limit.
    waiting: int = 0
    #: Jobs that are due later.
    scheduled: int = 0
    running: int = 0
    #: Jobs that failed or errored within the last day.
    failed: int = 0
    #: Since when the oldest of the waiting jobs could have run; None if no job could.
    oldest: datetime | None = None
    #: Workers that serve the queue. A worker that was killed counts until recovery declares it dead.
    workers: int = 0
    #: Since when the queue is paused; None if it is not.
    paused: datetime | None = None
    #: How many of its jobs run at once; None if it has no limit.
    limit: int | None = None
    configured: bool = True

    @property
    def unserved(self) -> bool:
        """Whether no worker would take its jobs."""
        return self.workers == 0

    @property
    def state(self) -> str:
        """'paused', 'no_worker' or 'active', for `formatting.queue_state()`."""
        return 'paused' if self.paused is not None else 'no_worker' if self.unserved else 'active'

    @property
    def oldest_age(self) -> timedelta | None:
        """How long the oldest of the waiting jobs has waited, in whole seconds; None if no job waits."""
        return None if self.oldest is None else timedelta(seconds=(clock.now_ms() - clock.to_ms(self.oldest)) // 1000)


def queue_states(
    workers: Iterable[Worker] | None = None, failed: Mapping[str, int] | None = None, *, limit: int = COUNTED
) -> list[QueueState]:
    """Return all configured queues in the order of priority, and other queues that have jobs or are paused.

    Args:
        workers: The workers to count; all of them if omitted.
        failed: How many jobs failed within the last day, by queue; added up if omitted.
        limit: How many jobs of a queue are counted in each status.
    """
    using = database()
    failed = performance.take('24h').failed if failed is None else failed
    serving = Counter(
        name
        for worker in (Worker.objects.using(using).all() if workers is None else workers)
        for name in set(served_by(worker))
    )
    paused = dict(PausedQueue.objects.using(using).values_list('name', 'since'))
    limited = queue_limits(using)
    names = queue_names(paused, failed)
    now = clock.now_ms()
    wanted, oldest = _queries(names, now)
    numbers, dues = counts.counts(wanted, limit), counts.firsts(oldest)
    found = []
    for name, configured in names.items():
        since = min((due for key in ('pending', 'overdue') if (due := dues[name, key]) is not None), default=None)
        state = QueueState(
            name=name,
            waiting=min(sum(numbers[name, key] for key in ('pending', 'overdue', 'held')), limit + 1),
            scheduled=numbers[name, 'scheduled'],
            running=numbers[name, 'running'],
            failed=failed.get(name, 0),
            oldest=None if since is None else clock.to_stored(datetime.fromtimestamp(min(since, now) / 1000, UTC)),
            workers=serving[name],
            paused=paused.get(name),
            limit=limited[name] if name in limited else limits.of_queue(name),
            configured=configured,
        )
        used = state.waiting or state.running or state.scheduled or state.failed or state.paused
        if configured or used:
            found.append(state)
    return found


def _queries(names: Iterable[str], now: int) -> tuple[dict[tuple[str, str], 'QuerySet[Job]'], dict[Any, Any]]:
    """What to count, and the times from which to take the earliest; each by queue and kind, from one index."""
    jobs = Job.objects.using(database())
    wanted: dict[tuple[str, str], QuerySet[Job]] = {}
    oldest: dict[tuple[str, str], Any] = {}
    for name in names:
        own = jobs.filter(queue_name=name)
        scheduled = own.filter(status=JobStatusChoices.STATUS_SCHEDULED)
        wanted[name, 'pending'] = own.filter(status=JobStatusChoices.STATUS_PENDING)
        wanted[name, 'overdue'] = scheduled.filter(due__lte=now)
        wanted[name, 'held'] = scheduled.filter(due=None)
        wanted[name, 'scheduled'] = scheduled.filter(due__gt=now)
        wanted[name, 'running'] = own.filter(status=JobStatusChoices.STATUS_RUNNING)
        for key in ('pending', 'overdue'):
            due = wanted[name, key].filter(due__isnull=False)
            oldest[name, key] = due.order_by('due').values('due')
    return wanted, oldest


def queue_names(*others: Iterable[str]) -> dict[str, bool]:
    """Return the names of all queues, and whether each is configured: high, default and low, then by name.

    Args:
        others: Names that may belong to queues without jobs.
    """
    try:
        known = queues.configured()
    except ImproperlyConfigured:
        known = {}
    first = [name for name in queues.DEFAULT_QUEUES if name in known]
    names = dict.fromkeys([*first, *sorted(known)], True)
    used = {*counts.values('queue_name'), *(name for each in others for name in each)}
    return names | dict.fromkeys(sorted(name for name in used if name and name not in names), False)


def served_by(worker: Worker) -> list[str]:
    """Return the queues that a worker serves, in its order of priority."""
    return worker.queues.replace(',', ' ').split()

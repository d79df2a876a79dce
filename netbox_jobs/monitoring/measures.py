"""The numbers that metrics report, from a number of statements that does not depend on how many jobs there are."""

from collections import Counter
from dataclasses import dataclass

from django.db.models import Count, Q

from ..choices import JobStatusChoices
from ..core import clock
from ..models import Job, RepairCount, Schedule, database
from . import counts, recent
from .queues import QueueState, queue_states
from .recent import Recent
from .workers import WorkerState, worker_states

#: How many jobs of each status are counted by queue and runner: those that are due first.
COUNTED = 10_000
#: Seconds after which an occurrence that has not begun is late, and how many late ones are read at most.
LATE_AFTER = 60.0
MOST_LATE = 1_000


@dataclass(frozen=True, slots=True)
class Late:
    """The late occurrences of the schedules of one runner."""

    count: int
    #: For how long the one that is due longest has been due, in seconds.
    seconds: float


@dataclass(frozen=True, slots=True)
class Measures:
    """The state of the queues, the workers and the schedules, and what ended in the last minutes."""

    queues: list[QueueState]
    workers: list[WorkerState]
    #: The jobs that wait or run, by queue, runner and status.
    jobs: dict[tuple[str, str, str], int]
    recent: Recent
    #: The late schedules by runner.
    late: dict[str, Late]
    #: How many schedules are active, paused and suspended.
    schedules: dict[str, int]
    #: How often recovery has repaired something, by kind.
    repairs: dict[str, int]


def take() -> Measures:
    """Read all of it."""
    using = database()
    workers = worker_states(running=())
    serving = [state.worker for state in workers if state.worker is not None and state.silent is None]
    repairs = dict(RepairCount.objects.using(using).values_list('kind', 'number'))
    return Measures(
        queues=queue_states(serving, {}),
        workers=workers,
        jobs=enqueued_jobs(),
        recent=recent.take(),
        late=late_schedules(),
        schedules=_schedules(using),
        repairs={kind: repairs.get(kind, 0) for kind in RepairCount.Kind.values},
    )


def enqueued_jobs(limit: int = COUNTED) -> dict[tuple[str, str, str], int]:
    """Count the jobs that wait or run by queue, runner and status.

    Args:
        limit: How many of each status are counted.
    """
    jobs = Job.objects.using(database())
    found = {}
    queries = {
        status: jobs.filter(status=status).order_by('due').values('queue_name', 'runner')[:limit]
        for status in JobStatusChoices.ENQUEUED_STATE_CHOICES
    }
    for status, groups in counts.groups(queries).items():
        for (queue, runner), number in groups.items():
            found[queue, runner, status] = number
    return found


def late_schedules() -> dict[str, Late]:
    """Return the schedules whose next occurrence should have begun, by runner; not those that are paused.

    An occurrence that waits because the one before it still runs is late as well.
    """
    now = clock.now_ms()
    limit = now - int(LATE_AFTER * 1000)
    # Jobs with a slot are the waiting ones of schedules: as a range, so that the index on it serves.
    waiting = Job.objects.using(database()).filter(slot__gt=0, due__lt=limit, schedule__paused=False)
    numbers: Counter[str] = Counter()
    oldest: dict[str, int] = {}
    for runner, due in waiting.order_by('slot').values_list('runner', 'due')[:MOST_LATE]:
        numbers[runner] += 1
        oldest[runner] = min(due or now, oldest.get(runner, now))
    return {runner: Late(number, (now - oldest[runner]) / 1000) for runner, number in numbers.items()}


def _schedules(using: str) -> dict[str, int]:
    suspended, paused = ~Q(suspended=''), Q(paused=True)
    return Schedule.objects.using(using).aggregate(
        active=Count('pk', filter=~suspended & ~paused),
        paused=Count('pk', filter=~suspended & paused),
        suspended=Count('pk', filter=suspended),
    )

"""The workers, and the jobs that run now."""

import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from ..models import Job, Progress, Worker, database
from .queues import served_by
from .related import LARGE_FIELDS, progress_of

#: How many workers and running jobs are read at most.
MOST_WORKERS, MOST_RUNNING = 500, 1_000
#: Seconds after which a worker whose heartbeat stands still is called silent. (The heartbeat counts every five.)
SILENT_AFTER = 30


@dataclass(frozen=True, slots=True)
class RunningJob:
    """A running job with its progress; None if it has not reported any."""

    job: Job
    progress: Progress | None


@dataclass
class WorkerState:
    """A worker and the jobs that it runs.

    Without a worker: the jobs of processes that are not workers (`immediate=True`), and of workers that are gone.
    """

    worker: Worker | None
    jobs: list[RunningJob]
    #: For how many seconds its heartbeat has stood still, as seen from this process; None while it moves.
    silent: float | None = None
    #: Seconds since this process first saw the latest count of its heartbeats.
    heartbeat_age: float = 0.0

    @property
    def queues(self) -> list[str]:
        """The queues that it serves, in its order of priority."""
        return [] if self.worker is None else served_by(self.worker)


# The heartbeats that this process has seen, by the worker's token: the count, and when this process first saw it, on
# its own monotonic clock, so that no two clocks need to agree.
_heartbeats: dict[str, tuple[int, float]] = {}


def worker_states(running: Iterable[RunningJob] | None = None) -> list[WorkerState]:
    """Return all workers by name, each with the jobs that it runs; the jobs of no known worker come last.

    Args:
        running: The running jobs; all are read if omitted.
    """
    using = database()
    workers = list(Worker.objects.using(using).order_by('name', 'pk')[:MOST_WORKERS])
    by_token: dict[str | None, list[RunningJob]] = defaultdict(list)
    for each in running_jobs() if running is None else running:
        by_token[each.job.worker].append(each)
    for token in set(_heartbeats) - {worker.token for worker in workers}:
        _heartbeats.pop(token, None)  # another thread may do so as well
    found = []
    for worker in workers:
        age = _age(worker)
        silent = age if age > SILENT_AFTER else None
        found.append(WorkerState(worker, by_token.pop(worker.token, []), silent, age))
    others = [each for jobs in by_token.values() for each in jobs]
    return [*found, WorkerState(None, others)] if others else found


def running_jobs() -> list[RunningJob]:
    """Return the jobs that run now, the oldest first, without their large fields."""
    rows = Job.objects.using(database()).running().select_related('object_type')
    jobs = list(rows.defer(*(field for field in LARGE_FIELDS if field != 'error')).order_by('due', 'pk')[:MOST_RUNNING])
    progress = progress_of(jobs)
    return [RunningJob(job, progress.get(job.pk)) for job in jobs]


def _age(worker: Worker) -> float:
    now = time.monotonic()
    beats, since = _heartbeats.get(worker.token, (None, now))
    if beats != worker.beats:
        _heartbeats[worker.token] = worker.beats, now
        return 0.0
    return now - since

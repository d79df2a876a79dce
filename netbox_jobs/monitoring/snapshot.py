"""One snapshot of what happens now; pages, the terminal and other interfaces read it."""

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from . import performance
from .performance import Performance
from .queues import COUNTED, QueueState, queue_states
from .workers import WorkerState, worker_states


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Queues, workers with the jobs that they run, and what ended in the last day."""

    taken: datetime
    queues: list[QueueState]
    workers: list[WorkerState]
    day: Performance
    #: How many jobs of a queue are counted in each status.
    counted: int = COUNTED


def take() -> Snapshot:
    """Take a snapshot. Silent workers do not count as serving a queue."""
    day, workers = performance.take('24h'), worker_states()
    serving = [state.worker for state in workers if state.worker is not None and state.silent is None]
    return Snapshot(timezone.now(), queue_states(serving, day.failed), workers, day)

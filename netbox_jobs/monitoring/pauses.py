"""Which queues are paused, and whether their jobs have finished."""

from dataclasses import dataclass

from ..core import queues
from ..models import Job, PausedQueue, database


@dataclass(frozen=True, slots=True)
class Pauses:
    """The paused queues, and how many of their jobs still run."""

    queues: list[str]
    running: int
    #: Whether no configured queue is left that is not paused.
    all: bool


def paused() -> Pauses | None:
    """Return the paused queues; None if no queue is paused."""
    using = database()
    names = list(PausedQueue.objects.using(using).order_by('name').values_list('name', flat=True))
    if not names:
        return None
    return Pauses(names, running_in(names), set(queues.configured()) <= set(names))


def running_in(names: list[str]) -> int:
    """Return how many jobs of these queues run."""
    return Job.objects.using(database()).running().filter(queue_name__in=names).count()

"""For which job the code around a runner's own `enqueue()` calls it: one explicit object for each reserved call.

Plugins override `enqueue()` and pass on what they like, so the caller cannot hand a parameter through. It reserves the
call instead, and the code behind `enqueue()` looks the reservation up.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from ..core.recurrence import Recurrence
from ..models import Job, Schedule


@dataclass(frozen=True, slots=True)
class SuccessorOf:
    """What is enqueued with an interval, for the job's runner and instance, is the successor of this job."""

    job: Job


@dataclass(frozen=True, slots=True)
class RetryOf:
    """What is enqueued for the job's runner and instance takes from this job what the call omits."""

    job: Job


@dataclass(frozen=True, slots=True)
class UniqueSlot:
    """The one waiting job of a schedule, which `enqueue_once()` is about to make or to change.

    It is made in place of `before`, or after it: a job that waits, that runs now, or that was the last of a chain which
    has stopped. What the call omits is as `before` has it.
    """

    key: str
    schedule: Schedule
    before: Job | None
    #: The names of the options that the call has given.
    given: frozenset[str]
    #: Whether the call changes when the schedule recurs.
    moved: bool
    #: Whether the caller has a transaction open, in which nothing waits for other transactions.
    within: bool = False
    #: Holds this slot once it has been filled: what else that call enqueues goes elsewhere.
    filled: list[Any] = field(default_factory=list)

    @property
    def recurrence(self) -> Recurrence:
        """When it recurs."""
        return self.schedule.recurrence


@dataclass(frozen=True, slots=True)
class LateSlot:
    """The place of a job of `enqueue_once()` whose schedule is locked: it is stored by itself, and joins later."""

    key: str
    #: The names of the options that the call has given.
    given: frozenset[str]
    #: When it recurs, as far as is known.
    recurrence: Recurrence
    filled: list[Any] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class MemberOf:
    """What is enqueued for this runner becomes a member of a workflow, and waits for the other members named here."""

    runner: str
    workflow: int
    #: The `job_id`s of the jobs that must have completed first, and of those of which one must have failed.
    after: tuple[UUID, ...] = ()
    on_failure_of: tuple[UUID, ...] = ()
    #: Whether it runs after those of the first kind however they ended.
    allow_failure: bool = False
    #: Whether it is a callback, which waits until the workflow knows whether it is needed.
    gated: bool = False
    #: The user of the workflow.
    user_id: Any = None


Reservation = SuccessorOf | RetryOf | UniqueSlot | LateSlot | MemberOf

_reservations: ContextVar[tuple[Reservation, ...]] = ContextVar('netbox_jobs.reservations', default=())


@contextmanager
def reserved(reservation: Reservation) -> Iterator[None]:
    """Reserve what is enqueued within the block."""
    token = _reservations.set((*_reservations.get(), reservation))
    try:
        yield
    finally:
        _reservations.reset(token)


def unique_slot(key: str) -> UniqueSlot | LateSlot | None:
    """Return the slot that is reserved for this schedule key, if it is still to be filled."""
    for held in reversed(_reservations.get()):
        if isinstance(held, UniqueSlot | LateSlot) and held.key == key and not held.filled:
            return held
    return None


def predecessor() -> Job | None:
    """Return the job whose successor is being made."""
    return next((held.job for held in reversed(_reservations.get()) if isinstance(held, SuccessorOf)), None)


def retried() -> Job | None:
    """Return the job that is being retried."""
    return next((held.job for held in reversed(_reservations.get()) if isinstance(held, RetryOf)), None)


def membership(runner: str) -> MemberOf | None:
    """Return the workflow that a job of this runner becomes a member of."""
    for held in reversed(_reservations.get()):
        if isinstance(held, MemberOf):
            return held if held.runner == runner else None
    return None

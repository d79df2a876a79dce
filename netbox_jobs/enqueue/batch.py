"""Many calls of one runner at once: all are checked, then written by bulk inserts, in one transaction."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import connections, transaction

from ..broker import delivery
from ..core import runs
from ..models.jobs import Job, database
from ..models.schedules import Schedule
from . import bulk_insert, insert
from .request import EnqueueRequest


def spread(calls: Iterable[Mapping[str, Any]], common: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The arguments of each call: its own, and those that are common to all.

    Raises:
        TypeError: A call is no mapping.
        ValueError: A call is `immediate`.
    """
    given = []
    for number, call in enumerate(calls):
        if not isinstance(call, Mapping):
            raise TypeError(
                f'Call {number} of enqueue_many() is {call!r}; expected a dictionary with the arguments of enqueue().'
            )
        given.append({**common, **call})
        if given[-1].get('immediate'):
            raise ValueError('immediate and enqueue_many() exclude each other; use enqueue(immediate=True).')
    return given


def check(func: Callable[..., Any], given: Iterable[dict[str, Any]]) -> list[EnqueueRequest]:
    """Check all calls; `given` has the arguments of `Job.enqueue()` for each, but for `func`.

    Raises:
        ValueError, TypeError: As `Job.enqueue()` does for the first call that is not acceptable, with a note that says
            which one it is.
    """
    checked = []
    for number, arguments in enumerate(given):
        named = {name: arguments.pop(name, default) for name, default in _OMITTED.items()}
        with _telling_which(number):
            checked.append(insert.check(func, **named, kwargs=arguments))
    return checked


def enqueue(calls: list[EnqueueRequest]) -> list[Job]:
    """Insert the jobs of checked calls, in one transaction; returns them in the order of the calls.

    What needs a look at other rows is inserted by itself: a call that depends on others, or that may be the successor
    of the job that runs here.
    """
    using = database()
    with transaction.atomic(using=using):
        # All are made before the first is written: arguments that cannot be stored are found here.
        jobs: list[Job | None] = [
            None if _is_special(call) else _new_job(number, call) for number, call in enumerate(calls)
        ]
        plain = [(job, call) for job, call in zip(jobs, calls, strict=True) if job is not None]
        if connections[using].features.can_return_rows_from_bulk_insert:
            _insert(plain, using)
        else:
            jobs = [None] * len(calls)  # the keys of the new rows would not be known (MySQL)
            plain = []
        made = [job or insert.enqueue(call) for job, call in zip(jobs, calls, strict=True)]
        delivery.deliver_many_after_commit([job for job, _call in plain], using)
    return made


_OMITTED: dict[str, Any] = {
    'instance': None,
    'name': '',
    'user': None,
    'schedule_at': None,
    'interval': None,
    'immediate': False,
    'queue_name': None,
    'notifications': None,
}


def _is_special(call: EnqueueRequest) -> bool:
    if call.dependencies:
        return True
    return bool(call.recurrence) and (runs.ending.get() is not None or runs.current_run() is not None)


@contextmanager
def _telling_which(number: int) -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError) as error:
        error.add_note(f'(call {number} of enqueue_many(), counted from 0)')
        raise


def _new_job(number: int, call: EnqueueRequest) -> Job:
    with _telling_which(number):
        return insert.new_job(call)


def _insert(made: list[tuple[Job, EnqueueRequest]], using: str) -> None:
    periodic = [(job, insert.new_schedule(call, job.job_id.hex)) for job, call in made if call.recurrence]
    Schedule.objects.using(using).bulk_create([schedule for _job, schedule in periodic], batch_size=bulk_insert.BATCH)
    for job, schedule in periodic:
        job.schedule, job.slot = schedule, schedule.pk
    bulk_insert.insert([job for job, _call in made], using)

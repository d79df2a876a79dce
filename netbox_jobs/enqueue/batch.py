"""Many calls of one runner at once: all are checked, then written by bulk inserts, in one transaction."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import connections

from ..core import contexts, import_path, middleware, runs
from ..core.middleware import EnqueueCall
from ..lifecycle import line_up, reservation
from ..lifecycle.deliver import deliver_many_after_commit, serve_after_commit
from ..models import Job, Schedule, database
from . import bulk_insert
from .insert import insert, join_workflow
from .request import EnqueueRequest, check
from .rows import new_job, new_schedule, watch_unsaved
from .unsaved import call_transaction


def spread(calls: Iterable[Mapping[str, Any]], common: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the keywords of each call: its own, and those that all have in common.

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


def enqueue_all(runner: Any, given: list[dict[str, Any]]) -> list[Job]:
    """Check all calls of a runner, and insert their jobs in one transaction.

    Raises:
        ValueError, TypeError: As for the first call that is not acceptable.
    """
    if not middleware.configured():
        return insert_all(check_all(runner.handle, given))
    call = EnqueueCall(import_path.path_of(runner), given)
    return middleware.around_enqueue(call, lambda: insert_all(check_all(runner.handle, call.calls)))


def check_all(func: Callable[..., Any], given: Iterable[dict[str, Any]]) -> list[EnqueueRequest]:
    """Check all calls.

    Raises:
        ValueError, TypeError: As for the first call that is not acceptable, with a note that says which one it is.
    """
    checked = []
    for number, keywords in enumerate(given):
        with _noting(number):
            checked.append(check(func, keywords, context={}))
    if checked:
        context = contexts.capture(contexts.Call(checked[0].runner, checked[0].queue_name, len(checked)))
        for request in checked:
            request.put_into(context)
    return checked


def insert_all(requests: list[EnqueueRequest]) -> list[Job]:
    """Insert the jobs of checked requests in one transaction; return them in the order of the requests.

    A request that needs a look at other rows is inserted by itself: one that depends on other jobs, or that may be the
    successor of the job that runs here.
    """
    using = database()
    for request in requests:
        join_workflow(request)
    with call_transaction():
        # All are made before the first is written: arguments that cannot be stored are found here.
        jobs: list[Job | None] = [
            None if _is_special(request) else _new_job(number, request) for number, request in enumerate(requests)
        ]
        plain = [(job, request) for job, request in zip(jobs, requests, strict=True) if job is not None]
        places: dict[str, list[Job]] = {}
        if connections[using].features.can_return_rows_from_bulk_insert:
            places = line_up.take_places([job for job, request in plain if not request.recurrence], using)
            _insert(plain, using)
            line_up.insert_places(places, using)
        else:
            jobs = [None] * len(requests)  # the keys of the new rows would not be known (MySQL)
            plain = []
        made = [job or insert(request) for job, request in zip(jobs, requests, strict=True)]
        deliver_many_after_commit([job for job, _request in plain], using)
        serve_after_commit(places, using)
    return made


def _is_special(request: EnqueueRequest) -> bool:
    if request.dependencies or request.unique is not None:
        return True
    within = reservation.predecessor() is not None or runs.current_run() is not None
    return bool(request.recurrence) and within


@contextmanager
def _noting(number: int) -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError) as error:
        error.add_note(f'(call {number} of enqueue_many(), counted from 0)')
        raise


def _new_job(number: int, request: EnqueueRequest) -> Job:
    with _noting(number):
        request.check_complete()
        return new_job(request)


def _insert(made: list[tuple[Job, EnqueueRequest]], using: str) -> None:
    periodic = [(job, new_schedule(request, job.job_id.hex)) for job, request in made if request.recurrence]
    Schedule.objects.using(using).bulk_create([schedule for _job, schedule in periodic], batch_size=bulk_insert.BATCH)
    for job, schedule in periodic:
        job.schedule, job.slot = schedule, schedule.pk
    bulk_insert.insert([job for job, _request in made], using)
    for job, request in made:
        watch_unsaved(job, request)

"""A job of `enqueue_once()` that is stored while another transaction keeps its schedule locked.

It is committed with the caller's transaction and waits by itself, scheduled without a due time, until it can join its
schedule: after the commit (see `join.py`), or by recovery.
"""

from typing import Any

from django.db import connections

from ..choices import JobStatusChoices
from ..core import transactions
from ..core.recurrence import Recurrence
from ..lifecycle.reservation import LateSlot
from ..models import Job, PendingChange, Schedule, database, services
from .request import EnqueueRequest
from .rows import insert_job, new_job

#: The fields that say when a schedule recurs.
WHEN = ('cron', 'interval', 'time_zone')


class _Joins:
    """The callback after the commit of a transaction whose jobs are to join their schedules."""

    def __init__(self) -> None:
        self.jobs: list[int] = []

    def __call__(self) -> None:
        for pk in self.jobs:
            services.join_schedule(pk)


def is_expected(using: str) -> bool:
    """Return whether a job of this transaction is late already: the next ones do not try for long."""
    return _joins(using) is not None


def slot(request: EnqueueRequest, using: str) -> LateSlot:
    """Return the place of a request whose schedule is locked."""
    recurrence = request.recurrence
    if not request.given & set(WHEN):
        schedule = Schedule.objects.using(using).filter(key=request.key).first()
        recurrence = schedule.recurrence if schedule is not None else Recurrence()
    return LateSlot(request.key, request.given, recurrence)


def insert(slot: LateSlot, request: EnqueueRequest) -> Job:
    """Insert the job of a request, which is to join its schedule."""
    slot.filled.append(request)
    using = database()
    given = set(slot.given)
    if 'kwargs' in given:
        request.check_complete('enqueue_once')
    if request.recurrence != slot.recurrence:
        given |= set(WHEN)  # the runner's own enqueue() has decided
    at = request.scheduled
    job = new_job(request)
    job.status, job.scheduled, job.due, job.deliveries = JobStatusChoices.STATUS_SCHEDULED, at, None, 0
    job.held = False  # it waits for no slot yet
    job.interval = None  # it recurs as its schedule does
    insert_job(job, request, using)
    values = {
        'given': sorted(given),
        'dependencies': [str(job_id) for job_id in request.dependencies],
        **{name: getattr(request, name) for name in WHEN},
    }
    PendingChange.objects.using(using).create(job_id=job.pk, key=request.key, values=values)
    joins = _joins(using)
    if joins is None:
        joins = _Joins()
        transactions.after_commit(joins, using=using)
    joins.jobs.append(job.pk)
    return job


def replace(job: Job, values: Job, using: str) -> None:
    """Write all that the row of a late job is to hold from now on; `values` becomes the object of that row."""
    kept = {'id', 'job_id', 'created'}
    columns: dict[str, Any] = {
        field.attname: getattr(values, field.attname)
        for field in Job._meta.concrete_fields
        if field.attname not in kept
    }
    Job.objects.using(using).filter(pk=job.pk).update(**columns)
    values.pk, values.created = job.pk, job.created
    values._state.adding, values._state.db = False, using


def _joins(using: str) -> _Joins | None:
    # Those of a savepoint that was rolled back are gone from here.
    callbacks = (entry[1] for entry in reversed(connections[using].run_on_commit))
    return next((callback for callback in callbacks if isinstance(callback, _Joins)), None)

"""The lock on the schedule of a call of `enqueue_once()`.

A call outside of a transaction waits for it. Within a transaction of the caller, which may hold the locks of other
schedules, waiting would end in a deadlock with a caller that has them in another order: there, nothing waits in the
database.
"""

import time
from hashlib import sha256
from typing import Any

from django.db import OperationalError, connections, transaction
from django.db.models import Exists, F, OuterRef

from ..core import transactions
from ..lifecycle.locks import ScheduleLocked, poll_lock
from ..models import Job, PendingChange, Schedule
from ..models.schedules import SHARED
from .changes import changes_of
from .request import EnqueueRequest
from .rows import new_schedule

#: Seconds for which a call within a transaction tries to get the lock, which short transactions have released by then.
PATIENCE = 0.5
_LOCK_WAIT_TIMEOUT = 1205


def unchanged(request: EnqueueRequest, using: str) -> Job | None:
    """Return the waiting job if it is already as the request asks for; no lock is needed then."""
    if request.dependencies or transactions.has_snapshots(using):
        return None
    waiting = Job.objects.using(using).waiting().filter(schedule__key=request.key, slot=F('schedule_id'))
    job = waiting.select_related('schedule').first()
    if job is None or job.schedule is None:
        return None
    given, schedule = request.given, job.schedule
    if given & {'interval', 'cron', 'time_zone'} and schedule.recurrence != request.recurrence:
        return None
    if any(getattr(schedule, name) != getattr(request, name) for name in given & SHARED):
        return None
    return None if changes_of(job, request, given) else job


def lock(request: EnqueueRequest, using: str) -> Schedule:
    """Return the schedule of the request's key, updated with what it names, and locked until the transaction ends.

    When it recurs is not updated yet, so that the caller can tell whether that changes.
    """
    fields = _shared(request)
    schedules = Schedule.objects.using(using)
    if not schedules.filter(key=request.key).update(**(fields or {'key': request.key})):
        # There is none, or it is being inserted at this moment: one statement decides. (An INSERT that fails and
        # an UPDATE after it deadlock on MariaDB, where the failed INSERT leaves a shared lock behind.)
        _insert(request, using, fields)
    return _with_awaited(schedules).select_for_update().get(key=request.key)  # whatever this transaction saw first


def lock_without_waiting(request: EnqueueRequest, using: str, patience: float = PATIENCE) -> Schedule:
    """Do what `lock()` does, but leave a schedule that another transaction has locked, or is inserting.

    Raises:
        ScheduleLocked: Another transaction has, for longer than `patience` seconds.
    """
    schedules = Schedule.objects.using(using).filter(key=request.key)
    annotated = _with_awaited(schedules)
    give_up, pause = time.monotonic() + patience, 0.005
    while (found := poll_lock(annotated, patience)) is None:
        if not _insert_without_waiting(request, using):
            if time.monotonic() >= give_up:
                raise ScheduleLocked
            time.sleep(pause)
            pause = min(pause * 2, 0.1)
    share(found, request, using)
    return found


def share(schedule: Schedule, request: EnqueueRequest, using: str) -> None:
    """Write to a locked schedule what the request names of what it shares with its jobs."""
    differs = {name: value for name, value in _shared(request).items() if getattr(schedule, name) != value}
    if not differs:
        return
    Schedule.objects.using(using).filter(pk=schedule.pk).update(**differs)
    for name, value in differs.items():
        setattr(schedule, name, value)


def is_awaited(schedule: Schedule) -> bool:
    """Return whether late jobs were to join a schedule when it was locked."""
    return bool(getattr(schedule, 'awaited', False))


def _with_awaited(schedules: Any) -> Any:
    return schedules.annotate(awaited=Exists(PendingChange.objects.filter(key=OuterRef('key'))))


def _shared(request: EnqueueRequest) -> dict[str, Any]:
    return {name: getattr(request, name) for name in sorted(request.given & SHARED)}


def _insert(request: EnqueueRequest, using: str, fields: dict[str, Any]) -> None:
    by_key = ['key'] if connections[using].features.supports_update_conflicts_with_target else None
    Schedule.objects.using(using).bulk_create(
        [new_schedule(request, request.key)],
        update_conflicts=True,
        unique_fields=by_key,
        update_fields=sorted(fields) or ['key'],
    )


def _insert_without_waiting(request: EnqueueRequest, using: str) -> bool:
    """Insert the schedule if there is none; return False if another transaction is inserting it."""
    connection = connections[using]
    if connection.vendor == 'postgresql':
        # An INSERT waits for another one of the same key, so that only one caller may try it.
        number = int.from_bytes(sha256(f'netbox_jobs {request.key}'.encode()).digest()[:8], signed=True)
        with connection.cursor() as cursor:
            cursor.execute('SELECT pg_try_advisory_xact_lock(%s)', [number])
            if not cursor.fetchone()[0]:
                return False
        Schedule.objects.using(using).bulk_create([new_schedule(request, request.key)], ignore_conflicts=True)
        return True
    with connection.cursor() as cursor:
        cursor.execute('SET @netbox_jobs_insert = @@innodb_lock_wait_timeout, SESSION innodb_lock_wait_timeout = 0')
    try:
        with transaction.atomic(using=using):
            _insert(request, using, {})
    except OperationalError as error:
        if error.args[:1] != (_LOCK_WAIT_TIMEOUT,):
            raise
        return False
    finally:
        with connection.cursor() as cursor:
            cursor.execute('SET SESSION innodb_lock_wait_timeout = @netbox_jobs_insert')
    return True

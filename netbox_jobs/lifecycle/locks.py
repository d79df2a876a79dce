"""Row locks: the schedule of a chain first, then its jobs."""

import time
from typing import Any, TypeVar

from django.db import connections
from django.db.models import Model, QuerySet

from ..models import Job, Schedule, cached_sql
from ..models.querysets import JobQuerySet

M = TypeVar('M', bound=Model)

#: Seconds for which the end of a job waits for the lock of its schedule: short transactions have released it by then.
PATIENCE = 0.1


class RowLocked(Exception):
    """Another transaction keeps a row locked for longer than a moment."""


class ScheduleLocked(RowLocked):
    """The row is that of a schedule."""


class JobLocked(RowLocked):
    """The row is that of a job."""


def lock_schedule(job: Job, using: str, wait: bool) -> Schedule | None:
    """Return the job's schedule, locked; None if it has been ended, or the job has none.

    Raises:
        ScheduleLocked: Another transaction holds the lock. (A worker does not wait for a long one of a web request.)
        OperationalError: `wait` is False, and another transaction holds the lock.
    """
    if job.schedule_id is None:
        return None
    schedules = Schedule.objects.using(using).filter(pk=job.schedule_id)
    if not wait:
        try_lock(schedules, using)
    if not wait or not connections[using].features.has_select_for_update_skip_locked:
        return schedules.select_for_update().first()
    return poll_lock(schedules, PATIENCE)


def poll_lock(rows: QuerySet[M], patience: float, locked: type[RowLocked] = ScheduleLocked) -> M | None:
    """Return the row, locked; None if there is none. Never waits in the database, so that no deadlock comes of it.

    Args:
        rows: The one row.
        patience: Seconds for which to try.
        locked: What to raise.

    Raises:
        RowLocked: Another transaction still holds the lock.
    """
    give_up, pause = time.monotonic() + patience, 0.005
    while (found := rows.select_for_update(skip_locked=True).first()) is None and rows.exists():
        if time.monotonic() >= give_up:
            raise locked
        time.sleep(pause)
        pause = min(pause * 2, 0.1)
    return found


def lock_waiting(jobs: JobQuerySet[Job]) -> list[Job]:
    """Return the jobs among these that wait, locked until the transaction ends: from now on, no worker claims them.

    A job that was claimed before is not among them, so that what is done to the jobs returned reaches no run.
    """
    # Locked by their keys: along another index, MariaDB would lock the running ones as well.
    keys = list(jobs.waiting().order_by('pk').values_list('pk', flat=True))
    return list(jobs.waiting().filter(pk__in=keys).select_for_update().order_by('pk')) if keys else []


def lock_job(pk: int, using: str) -> None:
    """Lock the row of a job, if it is there.

    Raises:
        JobLocked: Another transaction keeps it locked.
    """
    if connections[using].features.has_select_for_update_skip_locked:
        poll_lock(Job.objects.using(using).filter(pk=pk).only('pk'), cached_sql.PATIENCE, JobLocked)


def try_lock(rows: Any, using: str) -> None:
    """Lock these rows, or raise. Where there are no row locks (SQLite), the one lock is waited for with a limit.

    Raises:
        OperationalError: Another transaction holds a lock on them.
    """
    if connections[using].features.has_select_for_update_nowait:
        rows.select_for_update(nowait=True).values_list('pk').first()

"""Row locks: the schedule of a chain first, then its jobs."""

from typing import Any

from django.db import connections

from ..models import Job, Schedule


def lock_schedule(job: Job, using: str, wait: bool) -> Schedule | None:
    """Return the job's schedule, locked; None if it has been ended, or the job has none.

    Raises:
        OperationalError: `wait` is False, and another transaction holds the lock.
    """
    if job.schedule_id is None:
        return None
    schedules = Schedule.objects.using(using).filter(pk=job.schedule_id)
    if not wait:
        try_lock(schedules, using)
    return schedules.select_for_update().first()


def try_lock(rows: Any, using: str) -> None:
    """Lock these rows, or raise. Where there are no row locks (SQLite), the one lock is waited for with a limit.

    Raises:
        OperationalError: Another transaction holds a lock on them.
    """
    if connections[using].features.has_select_for_update_nowait:
        rows.select_for_update(nowait=True).values_list('pk').first()

"""A job that ends: once, in one transaction with its successor."""

import logging
import time
from contextlib import nullcontext
from datetime import timedelta
from typing import Any

from django.db import DataError, IntegrityError, connections, transaction
from django.db.models import F
from django.db.transaction import TransactionManagementError
from django.utils import timezone

from ..choices import JobStatusChoices
from ..core import guards, recurrence, runs
from ..core.text import storable_data, storable_error
from ..models import cached_sql
from ..models.jobs import Job, database
from ..models.schedules import Schedule
from .successor import make_successor

logger = logging.getLogger('netbox_jobs')

#: The error of a job that was stopped while it ran.
STOPPED = 'It was stopped while it ran.'


def end(job: Job, status: str, error: str | None = None, *, wait: bool = True) -> bool:
    """End the job in a terminal status, with its successor if it is periodic, in one transaction.

    Whoever holds the claim ends the job. One who merely loaded the row takes it over, unless it has ended: the
    first end stands.

    Args:
        job: The job.
        status: A terminal one.
        error: What went wrong; None leaves what the job has.
        wait: Whether to wait for locks that others hold on the job or its schedule.

    Returns:
        Whether this call was the one that ended it.

    Raises:
        OperationalError: `wait` is False, and somebody holds a lock.
    """
    if run := runs.run_of(job):
        if run.before_end() and status == JobStatusChoices.STATUS_COMPLETED:
            status, error = JobStatusChoices.STATUS_ERRORED, repr(TransactionManagementError(guards.GIVEN_UP))
        if job._fence is None:
            job._fence = run.job._fence
    reopen(job)
    if job._lost or (job._fence is not None and job.ended):
        return False  # this object has ended it
    using = job._state.db or database()
    before = {'_fence': job._fence, 'status': job.status, 'schedule_id': job.schedule_id}
    fence = job._fence or {'status__in': JobStatusChoices.ENQUEUED_STATE_CHOICES}
    status, values = outcome(job, status, error)
    periodic = job.schedule_id is not None or job.interval is not None

    def write() -> bool:
        if not periodic and wait:  # one statement, which needs no transaction of its own
            return finish(None)
        with transaction.atomic(using=using, savepoint=False):
            schedule = _lock(job, using, wait) if periodic else None
            if not wait:
                try_lock(Job.objects.using(using).filter(pk=job.pk), using)
            return finish(schedule)

    def finish(schedule: Schedule | None) -> bool:
        if not _write_end(using, values, {'id': job.pk, **fence}):
            return False
        _reflect(job, values)
        if schedule is not None and job.attempt:
            Schedule.objects.using(using).filter(pk=schedule.pk).update(runs=F('runs') + 1)
        job._before_end = before
        # First: what others want done after the commit may raise.
        transaction.on_commit(job._conclude, using=using, robust=True)
        if periodic:
            make_successor(job, schedule)
        return True

    if run.persist(write) if run else write():
        return True
    _explain_lost(job, status, using)
    return False


def reopen(job: Job) -> bool:
    """Let this object hold its claim again, if the end that it has written was rolled back since.

    `handle()` of a plugin may end the job within a transaction, which can fail afterwards.
    """
    if job._before_end is None:
        return False
    waiting = connections[job._state.db or database()].run_on_commit
    if any(entry[1] == job._conclude for entry in waiting):
        return False  # its transaction is still open
    for name, value in job._before_end.items():
        setattr(job, name, value)
    job._before_end = None
    return True


def outcome(job: Job, status: str, error: str | None) -> tuple[str, dict[str, Any]]:
    """What the terminal UPDATE writes; what cannot be stored makes the job errored instead of preventing its end."""
    problems = []
    now = timezone.now()
    values: dict[str, Any] = {}
    try:
        values['data'] = storable_data(job.data, 'job.data')
    except (TypeError, ValueError) as problem:
        problems.append(str(problem))
    try:
        recurrence.check_interval(job.interval)
        values['interval'] = job.interval
    except ValueError as problem:
        problems.append(f'job.{problem}')
        job.interval = job._claimed_interval
    if problems:
        status = JobStatusChoices.STATUS_ERRORED
        error = '\n'.join(filter(None, (error, *problems)))
    if job._claimed_at is not None:
        values['execution_time'] = timedelta(seconds=time.monotonic() - job._claimed_at)
    elif job.started is not None:
        values['execution_time'] = max(now - job.started, timedelta())
    values |= {
        'status': status,
        'completed': now,
        'error': storable_error(str(error if error else job.error or '')),
        'worker': None,
        'backend_id': None,
        'slot': None,
    }
    return status, values


def _write_end(using: str, values: dict[str, Any], fence: dict[str, Any]) -> int:
    """The terminal UPDATE; data that only this database refuses (MariaDB's JSON has 32 levels) makes it errored."""
    connection = connections[using]
    guarded = connection.vendor == 'mysql' and connection.in_atomic_block and values.get('data') is not None
    try:
        with transaction.atomic(using=using) if guarded else nullcontext():
            return cached_sql.update(using, values, fence)
    except (DataError, IntegrityError) as problem:
        if values.pop('data', None) is None:
            raise
        error = f'{values["error"]}\njob.data cannot be stored: {problem}'.strip()
        values |= {'status': JobStatusChoices.STATUS_ERRORED, 'error': storable_error(error)}
        return cached_sql.update(using, values, fence)


def suspend(job: Job, reason: str) -> None:
    """Say on the job's schedule, if it has one, why nothing follows."""
    if job.schedule_id is not None:
        Schedule.objects.using(job._state.db).filter(pk=job.schedule_id).update(suspended=reason)


def _reflect(job: Job, values: dict[str, Any]) -> None:
    for name, value in values.items():
        if name != 'data':  # the object keeps what the user's code put there
            setattr(job, name, value)
    job._fence = {'status': job.status, 'attempt': job.attempt, 'completed': job.completed}


def _lock(job: Job, using: str, wait: bool) -> Schedule | None:
    """The job's schedule, locked; None if it has been ended, or the job has none."""
    if job.schedule_id is None:
        return None
    recurrence = Schedule.objects.using(using).filter(pk=job.schedule_id)
    if not wait:
        try_lock(recurrence, using)
    return recurrence.select_for_update().first()


def try_lock(rows: Any, using: str) -> None:
    """Lock these rows, or raise; where there are no row locks (SQLite), the one lock is waited for with a limit.

    Raises:
        OperationalError: Somebody else holds a lock on them.
    """
    if connections[using].features.has_select_for_update_nowait:
        rows.select_for_update(nowait=True).values_list('pk').first()


def _explain_lost(job: Job, status: str, using: str) -> None:
    found = Job.objects.using(using).filter(pk=job.pk).values_list('status', flat=True).first()
    if found is None:
        reason = 'its row has been deleted'
    elif job._fence is not None and found == job._fence.get('status') == JobStatusChoices.STATUS_RUNNING:
        reason = 'another worker has claimed it since'
    else:
        reason = f'it is {found} already'
    job._lost = job._fence is not None and not job.ended
    log = logger.warning if job._lost else logger.info
    log('Job %s (%s): the end as %s was not recorded: %s.', job.pk, job.name, status, reason)

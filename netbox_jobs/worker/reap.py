"""Accounts for the jobs of a child that has died, and asks how a job is to be stopped."""

import logging
import os
import signal

from django.core.exceptions import ValidationError
from django.db import Error as DBError
from django.db import connections

from ..core import identity, runner_options
from ..core.guards import PERSISTENCE
from ..execution import execution
from ..execution.time_limit import GRACE
from ..lifecycle.claim import take_hold
from ..lifecycle.requeue import requeue
from ..lifecycle.stop import mark_stopping
from ..maintenance.orphans import end_orphan
from ..models import Job, database

logger = logging.getLogger('netbox_jobs')


def has_overrun(limit: float, began: float, told: float, moment: float) -> bool:
    """Whether a child is to be killed that ignores its time limit.

    The limit counts for `run()`, not for our own claim, imports and writes. Those have as long as the child tries to
    write an outcome while the database is away.

    Args:
        limit: The time limit, in seconds; 0 or less for none.
        began: When the job began.
        told: Until when `run()` may last, as the child has told; negative when it was left; 0 before it is called.
        moment: Now. (All on the monotonic clock.)
    """
    if limit <= 0:
        return False
    if told > 0:
        return moment > told + GRACE
    if moment <= began + limit + GRACE:
        return False
    return moment > (-told if told < 0 else began + limit) + PERSISTENCE + GRACE


def settle(job_id: str, status: int | None, *, limit: float, overran: bool) -> None:
    """End a job on behalf of the child that has died of it, and name the cause.

    Args:
        job_id: The `job_id` of the row.
        status: How the child ended, as `os.wait4()` says it; None if that is unknown.
        limit: The time limit, in seconds.
        overran: Whether the job had exceeded it.
    """
    if status is not None and os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        cause = f'Its process was killed by signal {number} ({signal.Signals(number).name}).'
    elif status is not None:
        cause = f'Its process ended with exit code {os.waitstatus_to_exitcode(status)} before the job did.'
    else:
        cause = 'Its process is gone.'
    if overran:
        cause = f'It exceeded its time limit of {limit} seconds and did not heed it. {cause}'
    try:
        found = Job.objects.using(database()).filter(job_id=job_id, worker=identity.process_token()).first()
        if found is not None:
            logger.warning('Job %s (%s): %s', found.pk, found.name, cause)
            run = execution.Execution(found)
            run.persist(lambda: end_orphan(found, cause, may_retry=not overran))
    except DBError as error:
        logger.error('The end of job %s could not be recorded (%s); recovery ends it.', job_id, error)
    finally:
        connections.close_all()


def requeue_claimed(job_id: str) -> None:
    """Requeue a job that a dead child has claimed with the end of the one before, and has not begun."""
    try:
        found = Job.objects.using(database()).running().filter(job_id=job_id, worker=identity.process_token()).first()
        if found is not None:
            take_hold(found)
            requeue(found, 0, wait=False)
    except DBError as error:
        logger.error('Job %s could not be requeued (%s); recovery ends it.', job_id, error)
    finally:
        connections.close_all()


def begin_stop(delivery_id: str) -> float:
    """Note that a job is to stop; returns the seconds that it has for that. (In the thread of RQ's commands.)"""
    try:
        rows = Job.objects.using(database()).filter(job_id=delivery_id[:36]).running()
        mark_stopping(rows, wait=False)  # already marked, unless RQ's own command was used
        job = rows.first()
        return runner_options.stop_grace(job) if job is not None else 0.0
    except (DBError, ValueError, ValidationError):  # a job of other code, or the database is away
        return 0.0
    finally:
        connections.close_all()

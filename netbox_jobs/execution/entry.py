"""Where runs begin: RQ's call, a queue with `ASYNC: False`, `immediate`, and a `handle()` that is called by hand."""

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections

from ..choices import JobStatusChoices
from ..core import guards, identity, runs
from ..core.suspension import Suspended
from ..exceptions import JobFailed
from ..lifecycle.claim import claim, start_claimed
from ..lifecycle.claim_next import NextClaim
from ..lifecycle.wait import hold_back
from ..models import Job, database, services
from .call import call
from .execution import Execution

logger = logging.getLogger('netbox_jobs')


def perform(job_id: str) -> None:
    """Run the job of this `job_id`, unless it has been claimed, has ended, or is gone. RQ calls this.

    Raises:
        BaseException: What the job ended with, after it was recorded: so that RQ's own records, its failure callbacks
            and its exception handlers know it too.
    """
    _lift_rq_limit()
    run = run_delivered(job_id, sole=True)
    if run is not None and run.job.status in (JobStatusChoices.STATUS_ERRORED, JobStatusChoices.STATUS_FAILED):
        raise run.told_failure or JobFailed(run.job.error)


@services.run_delivered.provide
def run_delivered(
    job_id: str, *, sole: bool = False, claimed: Job | None = None, next_claim: NextClaim | None = None
) -> Execution | None:
    """Claim a delivered job and run it to its end, whatever that is.

    Args:
        job_id: The job's `job_id`.
        sole: Whether this process runs nothing else meanwhile.
        claimed: The job, if its row was claimed with the end of the one before.
        next_claim: How this process claims its next job.

    Returns:
        The run; None if the job was not there to be run.
    """
    using = database()
    if not connections[using].in_atomic_block:
        for connection in connections.all(initialized_only=True):
            if claimed is None or connection.alias != using:  # that one has answered a moment ago
                connection.close_if_unusable_or_obsolete()
    if claimed is not None:
        start_claimed(claimed)
    job = claimed or _claim(job_id, using)
    if job is not None and job.ended:
        return None  # a receiver of job_start has ended it
    if job is None:
        if hold_back(job_id, using):
            logger.info('Job %s waits in the database: its queue is paused, or its limit has no slot for it.', job_id)
        else:
            logger.info('Job %s is not run: it is claimed, ended, canceled, deleted or not due.', job_id)
        return None
    run = Execution(job, next_claim=next_claim)
    with run.attended(sole=sole):
        run.perform()
    return run


def _claim(job_id: str, using: str) -> Job | None:
    try:
        return claim(job_id, identity.process_token(), using)
    except guards.CONNECTION_ERRORS:
        # A connection that was kept from one job to the next may be dead; a new one shows whether the database is.
        if connections[using].in_atomic_block:
            raise
        guards.reset_connections()
        return claim(job_id, identity.process_token(), using)


@services.run_immediately.provide
def run_immediately(job: Job, target: Callable[..., Any], kwargs: dict[str, Any]) -> None:
    """Run a job that this process has claimed already, before returning (`immediate`).

    Raises:
        SystemExit, KeyboardInterrupt: What `run()` raised of that kind, after it was recorded.
    """
    if job.ended:
        return  # a receiver of job_start has ended it
    run = Execution(job, arguments=kwargs)
    run.hide(getattr(target, '__self__', None), kwargs)
    with run.attended():
        if hasattr(target, '__self__'):  # a handle(), which has its run() in the middleware
            run.call(lambda: call(target, job, kwargs))
        else:
            run.call(lambda: run.within_middleware(lambda: call(target, job, kwargs)))
        run.settle()
    if isinstance(run.failure, KeyboardInterrupt | SystemExit):
        raise run.failure
    _let_go(run)


@contextmanager
def attending(job: Job) -> Iterator[Execution]:
    """Yield the run that a call of `handle()` is part of; a new one if `handle()` was called by hand."""
    found = runs.run_of(job)
    if isinstance(found, Execution):
        yield found
        return
    run = Execution(job)
    with run.attended():
        try:
            yield run
        except Suspended:
            pass
        except BaseException as error:
            run.failed_with(error)
            run.settle()
            raise
        run.settle()
    _let_go(run)


def _let_go(run: Execution) -> None:
    """Have the caller's object of a job that sleeps be one that was merely loaded: a worker continues the job."""
    if run.suspension is not None and not run.job.ended:
        run.job.claim = None


def _lift_rq_limit() -> None:
    # RQ's alarm is set around all of this function; ours is around run() only.
    if threading.current_thread() is threading.main_thread() and hasattr(signal, 'SIGALRM'):
        signal.setitimer(signal.ITIMER_REAL, 0)

"""How a run ends its job: by what `run()` raised, and by what its runner says of retries."""

import logging
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from django.db import DataError, IntegrityError
from django.db.transaction import TransactionManagementError
from rq.timeouts import JobTimeoutException

from ..choices import JobStatusChoices
from ..core import conf, errors, guards, import_path, retries
from ..core.formatting import duration
from ..core.retries import RetryPolicy
from ..core.suspension import Suspension
from ..core.text import described
from ..exceptions import (
    ArgumentsRefused,
    ArgumentsUnknown,
    InstanceGone,
    JobCanceled,
    JobFailed,
    RunnerNotFound,
    StepsChanged,
)
from ..lifecycle import successor
from ..lifecycle.finish import STOPPED
from ..lifecycle.requeue import requeue
from ..lifecycle.suspend import suspend
from ..models import Job

logger = logging.getLogger('netbox_jobs')
T = TypeVar('T')


class Run(Protocol):
    """A run, as its end sees it."""

    job: Job
    failure: BaseException | None
    error_before: str

    def note(self, level: str, message: str) -> None:
        """Write a line of the framework's own to the job's log."""

    def before_end(self) -> bool:
        """End what surrounds `run()`."""

    def persist(self, write: Callable[[], T]) -> T:
        """Call `write`; reconnect and call it again while the database is away."""


def end_as_stopped(run: Run, error: BaseException) -> None:
    """Record the end that was requested, whatever `run()` made of the request."""
    run.failure = None
    if not isinstance(error, JobCanceled):
        run.note('warning', f'Stopped: {errors.traceback_of(error)}')
    run.job.terminate(JobStatusChoices.STATUS_CANCELED, error=STOPPED)


def end_as(run: Run, error: BaseException) -> None:
    """End the job as what was raised says: `JobFailed` as failed, everything else as errored."""
    job = run.job
    if isinstance(error, JobFailed):
        own = str(job.error or '') if job.error != run.error_before else ''
        if own and str(error) not in own:
            run.note('error', str(error))
        job.terminate(JobStatusChoices.STATUS_FAILED, error=own or str(error) or None)
        return
    if isinstance(error, JobTimeoutException):
        logger.warning('Job %s (%s): %s', job.pk, job.name, error)
    message = described(error)
    run.note('error', f'{message}\n{errors.traceback_of(error)}')
    job.terminate(JobStatusChoices.STATUS_ERRORED, error=message)


def is_retried(job: Job, error: BaseException) -> bool:
    """Return whether the job is to be run again after this error. (An immediate one ends here and now.)"""
    if not job.deliveries or job.ended or (job.claim is not None and job.claim.lost) or isinstance(error, StepsChanged):
        return False
    try:
        return retry_policy(job).covers(error, job.retries)
    except Exception:
        logger.exception('Job %s (%s) has no usable retry policy; it ends.', job.pk, job.name)
        return False


def retry_later(run: Run, error: BaseException) -> None:
    """Requeue the job, to be run again after its backoff."""
    job = run.job
    delay, message = retry_policy(job).delay(job.retries), described(error)
    trace = errors.traceback_of(error)
    run.note('warning', f'{message}\nAttempt {job.attempt} failed; the next one is due in {duration(delay)}.\n{trace}')
    run.before_end()
    try:
        requeued = run.persist(lambda: requeue(job, delay, after=message))
    except (TypeError, ValueError, DataError, IntegrityError):  # what it has left in job.data cannot be stored
        end_as(run, error)
        return
    if job.ended:  # it was stopped at this moment
        run.failure = None
    elif requeued:
        run.failure = None
        logger.info('Job %s (%s) is run again in %.1f seconds, after %s.', job.pk, job.name, delay, message)


def suspend_run(run: Run, suspension: Suspension) -> None:
    """Give the job back until its sleep is over, or its signal has come."""
    job = run.job
    try:
        if run.before_end():
            raise TransactionManagementError(guards.GIVEN_UP)
        suspended = run.persist(lambda: suspend(job, suspension))
    except (TypeError, ValueError, DataError, IntegrityError, TransactionManagementError) as error:
        run.failure = error
        end_as(run, error)
        return
    if suspended:
        logger.info('Job %s (%s) is given back: %s %s.', job.pk, job.name, suspension.kind, suspension.name)


def refuse(run: Run, error: ArgumentsRefused | InstanceGone) -> None:
    """End a job whose arguments cannot be used."""
    run.failure = error
    run.note('error', str(error))
    run.job.terminate(JobStatusChoices.STATUS_ERRORED, error=str(error))


def requeue_or_end(run: Run, error: RunnerNotFound) -> None:
    """Requeue a job whose code this process does not have; end it when `RUNNER_GRACE` is over.

    In a rolling deploy another worker may have the code, or that of a class among the arguments. The delays are 5, 10,
    20... seconds.
    """
    job = run.job
    delays = [min(5 * 2**n, 120) for n in range(job.releases + 1)]
    grace = conf.get('RUNNER_GRACE')
    if sum(delays[:-1]) < grace:
        delay = min(delays[-1], grace - sum(delays[:-1]))
        logger.warning('Job %s: %s It is requeued for %s seconds.', job.pk, error, delay)
        requeue(job, delay)
        return
    run.failure = error
    run.note('error', str(error))
    if not isinstance(error, ArgumentsUnknown):  # the next occurrence may meet code that takes the arguments (P4)
        successor.suspend(job, str(error))
    job.terminate(JobStatusChoices.STATUS_ERRORED, error=str(error))


def retry_policy(job: Job) -> RetryPolicy:
    """Return how the job is retried: what its call says, else its runner.

    Raises:
        RunnerNotFound: An exception class of its call cannot be imported.
    """
    stored: dict[str, Any] = dict(job.retry_policy)
    if 'on' in stored:
        # An error of a class whose module is not imported cannot have been raised. The row may name any module.
        stored['on'] = tuple(import_path.resolve(path) for path in stored['on'] if import_path.is_imported(path))
    meta = getattr(import_path.resolve(job.runner), 'Meta', None)
    named = retries.check(*(getattr(meta, option, None) for option in retries.OPTIONS))
    return RetryPolicy(**{**named, **stored})

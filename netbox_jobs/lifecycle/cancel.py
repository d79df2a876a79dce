"""Waiting to canceled."""

from ..choices import JobStatusChoices
from ..core import transactions
from ..models import Job, database, services
from .deliver import withdraw_after_commit
from .finish import finish

#: The fields that an end by another caller than the run needs as they are now: it writes some of them.
_REFRESHED = ('status', 'deliveries', 'queue_name', 'schedule_id', 'interval', 'awaited', 'data', 'error')


@services.cancel.provide
def cancel(job: Job, error: str | None = None) -> bool:
    """End a job that waits as canceled; return False if it waits no more.

    Args:
        job: The job.
        error: Why; kept as the job's error.
    """
    unsaved = {'data': job.data} if 'data' in vars(job) else {}
    job.refresh_from_db(fields=_REFRESHED)
    try:
        return _cancel(job, error)
    finally:
        vars(job).update(unsaved)  # what the caller has set, and not saved, is neither written nor replaced


def _cancel(job: Job, error: str | None) -> bool:
    if job.status not in JobStatusChoices.WAITING_STATE_CHOICES:
        return False

    def end() -> bool:
        if not finish(job, JobStatusChoices.STATUS_CANCELED, error, only=JobStatusChoices.WAITING_STATE_CHOICES):
            return False
        if job.deliveries:
            withdraw_after_commit(job)
        return True

    return transactions.retried(end, job._state.db or database())

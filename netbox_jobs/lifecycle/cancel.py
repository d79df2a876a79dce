"""Waiting to canceled."""

from django.db import transaction

from ..choices import JobStatusChoices
from ..models import Job, services
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
    job.refresh_from_db(fields=_REFRESHED)
    if job.status not in JobStatusChoices.WAITING_STATE_CHOICES:
        return False
    with transaction.atomic(using=job._state.db):
        if not finish(job, JobStatusChoices.STATUS_CANCELED, error, only=JobStatusChoices.WAITING_STATE_CHOICES):
            return False
        if job.deliveries:
            withdraw_after_commit(job)
    return True

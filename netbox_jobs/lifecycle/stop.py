"""A job that somebody wants ended: at once while it waits; asked for, and then enforced, while it runs."""

from typing import Any

from django.db import transaction
from django.utils import timezone

from ..broker import delivery
from ..choices import JobStatusChoices
from ..models.jobs import Job, database
from .finish import end
from .wait import withdraw_after_commit

#: What an end by somebody who has not run the job must have as it is now: it writes some of that.
_READ_ANEW = ('status', 'deliveries', 'queue_name', 'schedule_id', 'interval', 'awaited', 'data', 'error')


def cancel(job: Job, error: str | None = None) -> bool:
    """End a job that waits as canceled, with a reason if there is one; False if it waits no more."""
    job.refresh_from_db(fields=_READ_ANEW)
    if job.status not in JobStatusChoices.WAITING_STATE_CHOICES:
        return False
    fence, job._fence = job._fence, {'status__in': JobStatusChoices.WAITING_STATE_CHOICES}
    with transaction.atomic(using=job._state.db):
        if not end(job, JobStatusChoices.STATUS_CANCELED, error):
            job._fence, job._lost = fence, False
            return False
        if job.deliveries:
            withdraw_after_commit(job)
    return True


def request_stop(job: Job) -> bool:
    """Ask for the end of a running job, or cancel one that waits; False if there was nothing to ask for."""
    using = job._state.db or database()
    running = Job.objects.using(using).running().filter(pk=job.pk)
    for _ in range(5):  # it may be claimed, or given back, in this very moment
        if mark_stopping(running):
            break
        if running.exclude(stopping=None).exists():
            return False
        if cancel(job):
            return True
        if job.status in JobStatusChoices.TERMINAL_STATE_CHOICES:
            return False
    else:
        return False
    job.refresh_from_db(using, fields=('status', 'deliveries', 'queue_name', 'stopping'))
    queue, delivered = job.queue_name, job.delivery_id
    transaction.on_commit(lambda: delivery.stop(queue, delivered), using=using, robust=True)
    return True


def mark_stopping(running: Any) -> bool:
    """Note on the row of a running job that its end is asked for: however it dies from now on, it was stopped."""
    return bool(running.filter(stopping=None).update(stopping=timezone.now()))

"""Running to canceled: requested here, and enforced by the worker."""

from typing import Any

from django.utils import timezone

from ..broker import delivery
from ..choices import JobStatusChoices
from ..core import transactions
from ..models import Job, database, services
from .cancel import cancel
from .unlocked import update_unlocked


@services.stop.provide
def stop(job: Job) -> bool:
    """Request the stop of a running job, or cancel a waiting one; return False if there was nothing to request."""
    using = job._state.db or database()
    running = Job.objects.using(using).running().filter(pk=job.pk)
    for _ in range(5):  # it may be claimed, or requeued, at this moment
        if transactions.again(lambda: mark_stopping(running), using):
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
    queue, delivery_id = job.queue_name, job.delivery_id
    transactions.after_commit(lambda: delivery.stop(queue, delivery_id), using=using)
    return True


def mark_stopping(running: Any, *, wait: bool = True) -> bool:
    """Record on the row of a running job that a stop was requested: however it dies from now on, it was stopped.

    Args:
        running: The row.
        wait: Whether to wait for a lock that another transaction holds on it; if not, False is returned.
    """
    rows, now = running.filter(stopping=None), timezone.now()
    return bool(rows.update(stopping=now) if wait else update_unlocked(rows, stopping=now))

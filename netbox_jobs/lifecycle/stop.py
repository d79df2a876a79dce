"""Running to canceled: requested here, and enforced by the worker."""

from typing import Any

from django.db import transaction
from django.utils import timezone

from ..broker import delivery
from ..choices import JobStatusChoices
from ..models import Job, database, services
from .cancel import cancel


@services.stop.provide
def stop(job: Job) -> bool:
    """Request the stop of a running job, or cancel a waiting one; return False if there was nothing to request."""
    using = job._state.db or database()
    running = Job.objects.using(using).running().filter(pk=job.pk)
    for _ in range(5):  # it may be claimed, or requeued, at this moment
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
    queue, delivery_id = job.queue_name, job.delivery_id
    transaction.on_commit(lambda: delivery.stop(queue, delivery_id), using=using, robust=True)
    return True


def mark_stopping(running: Any) -> bool:
    """Record on the row of a running job that a stop was requested: however it dies from now on, it was stopped."""
    return bool(running.filter(stopping=None).update(stopping=timezone.now()))

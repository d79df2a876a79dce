"""A job that waits in the database: because its time has not come, or its schedule or queue is paused."""

from datetime import datetime
from typing import Any

from django.db.models import Case, Q, When

from ..choices import JobStatusChoices
from ..core import clock
from ..models import Job, PausedQueue, QueueLimit
from .deliver import deliver_held, withdraw_after_commit
from .limits import has_slot, is_limited
from .unlocked import PATIENCE, update_unlocked


def put_back(job: Job, *, wait: bool = True) -> bool:
    """Have a delivered job wait in the database again and withdraw it from RQ; return False if it is not pending.

    Args:
        job: The job.
        wait: Whether to wait for a lock that another transaction holds on it; if not, False is returned.
    """
    rows = Job.objects.using(job._state.db).filter(pk=job.pk, status=JobStatusChoices.STATUS_PENDING)
    held = is_limited(job)
    values: dict[str, Any] = {'status': JobStatusChoices.STATUS_SCHEDULED, 'held': held}
    rows = rows.filter(due__isnull=False)
    if not (rows.update(**values) if wait else update_unlocked(rows, **values)):
        return False
    withdraw_after_commit(job)
    job.status, job.held = JobStatusChoices.STATUS_SCHEDULED, held
    return True


def hold_back(job_id: str, using: str) -> bool:
    """Have a job wait in the database whose delivery reached a worker although its queue is paused, or it has no slot.

    Recovery delivers it as soon as the queue is resumed, or the job has a slot.

    Returns:
        Whether there is such a job.
    """
    paused = Q(queue_name__in=PausedQueue.objects.using(using).values('name'))
    limited = QueueLimit.objects.using(using).filter(most__isnull=False).values('name')
    has_no_slot = Q(held=True) | Q(slotted=False, queue_name__in=limited)
    rows = Job.objects.using(using).filter(job_id=job_id, status=JobStatusChoices.STATUS_PENDING, due__isnull=False)
    held = Case(When(has_no_slot | has_slot(using), then=True), default=False)
    values = {'status': JobStatusChoices.STATUS_SCHEDULED, 'held': held}
    if not update_unlocked(rows.filter(paused | has_no_slot), patience=PATIENCE, **values):
        return False
    job = Job.objects.using(using).filter(job_id=job_id, held=True).first()
    if job is not None:  # there may be a slot for it
        deliver_held({job.pk: job}, using, inline=False)
    return True


def reschedule(job: Job, moment: datetime, **values: Any) -> bool:
    """Have a waiting job run at `moment` instead; return False if it waits no more, or waits for other jobs.

    Args:
        job: The job.
        moment: When it is due.
        **values: Other columns to write.
    """
    rows = Job.objects.using(job._state.db).filter(pk=job.pk).waiting().filter(due__isnull=False)
    values |= {'status': JobStatusChoices.STATUS_SCHEDULED, 'scheduled': moment, 'due': clock.to_ms(moment)}
    values['held'] = is_limited(job)
    if not rows.update(**values):
        return False
    if job.status == JobStatusChoices.STATUS_PENDING:
        withdraw_after_commit(job)
    for name, value in values.items():
        setattr(job, name, value)
    return True

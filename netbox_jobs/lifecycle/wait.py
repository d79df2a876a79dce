"""A job that waits: in the database until it is due, or handed over to RQ."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F

from ..broker import delivery
from ..choices import JobStatusChoices
from ..core import clock
from ..models.jobs import Job
from ..models.queues import PausedQueue
from ..models.schedules import Schedule


def deliverable(job: Job, *, unless_paused: bool = False) -> bool:
    """Make a due job that waits ready for one more delivery to RQ; False if somebody else has, or it waits no more.

    Args:
        job: The job.
        unless_paused: Not while its schedule is paused, which may have happened since it was read.
    """
    ready = Job.objects.using(job._state.db).filter(
        pk=job.pk, status=job.status, deliveries=job.deliveries, due=job.due
    )
    if unless_paused and job.schedule_id is not None:
        paused = Schedule.objects.using(job._state.db).filter(pk=job.schedule_id, paused=True)
        ready = ready.exclude(schedule_id__in=paused.values('pk'))
    due = clock.now_ms()
    if not ready.update(status=JobStatusChoices.STATUS_PENDING, deliveries=F('deliveries') + 1, due=due):
        return False
    job.status, job.due, job.deliveries = JobStatusChoices.STATUS_PENDING, due, job.deliveries + 1
    return True


def put_back(job: Job) -> bool:
    """Have a pending job wait in the database again, taken back out of RQ; False if it is pending no more."""
    rows = Job.objects.using(job._state.db).filter(pk=job.pk, status=JobStatusChoices.STATUS_PENDING)
    if not rows.filter(due__isnull=False).update(status=JobStatusChoices.STATUS_SCHEDULED):
        return False
    withdraw_after_commit(job)
    job.status = JobStatusChoices.STATUS_SCHEDULED
    return True


def hold_back(job_id: str, using: str) -> bool:
    """Have a job wait in the database that was delivered although its queue is paused; False if that is not so.

    Recovery hands it over as soon as the queue goes on.
    """
    rows = Job.objects.using(using).filter(job_id=job_id, status=JobStatusChoices.STATUS_PENDING, due__isnull=False)
    rows = rows.filter(queue_name__in=PausedQueue.objects.using(using).values('name'))
    return bool(rows.update(status=JobStatusChoices.STATUS_SCHEDULED))


def reschedule(job: Job, moment: datetime, **values: Any) -> bool:
    """Have a waiting job run at `moment` instead; False if it waits no more, or waits for other jobs."""
    rows = Job.objects.using(job._state.db).filter(pk=job.pk).waiting().filter(due__isnull=False)
    values |= {'status': JobStatusChoices.STATUS_SCHEDULED, 'scheduled': moment, 'due': clock.to_ms(moment)}
    if not rows.update(**values):
        return False
    if job.status == JobStatusChoices.STATUS_PENDING:
        withdraw_after_commit(job)
    for name, value in values.items():
        setattr(job, name, value)
    return True


def withdraw_after_commit(job: Job) -> None:
    """Take what is delivered of the job back out of RQ, once that it is to be so is committed."""
    queue, delivered = job.queue_name, job.delivery_id
    transaction.on_commit(lambda: delivery.withdraw(queue, [delivered]), using=job._state.db, robust=True)

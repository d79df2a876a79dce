"""Running to waiting: a job whose run sleeps, or waits for a signal, is given back until that is over."""

from django.db.models import F
from django.utils import timezone

from ..choices import JobStatusChoices
from ..core import clock, transactions
from ..core.suspension import WAIT, Suspension
from ..models import Job, JobStep, database
from ..models.data import storable
from .job_signals import wake
from .left import leave_suspension
from .locks import JobLocked
from .rates import note_requeued
from .requeue import give_back, waiting_values


def suspend(job: Job, suspension: Suspension, *, wait: bool = True) -> bool:
    """Have a claimed job wait until its sleep is over, or its signal has come. One that is to be stopped ends instead.

    The run does not count as an attempt. What it has left in `job.data` is written.

    Args:
        job: The job; it loses its claim.
        suspension: What it waits for.
        wait: Whether to wait for a lock that another transaction holds on the job.

    Returns:
        Whether the job waits, or is to by recovery, as its row is locked (see `left.py`). False if this call has ended
        it as canceled (see `job.ended`), or the claim is lost.

    Raises:
        OperationalError: `wait` is False, and another transaction holds a lock.
        TypeError, ValueError: `job.data` cannot be stored.
    """
    using = job._state.db or database()
    values = waiting_values(job, clock.NEVER if suspension.until is None else suspension.until)
    values |= {'attempt': F('attempt') - 1, 'data': storable(job)}
    deliveries = job.deliveries
    if not deliveries:  # an immediate job: from now on, one that was given back
        deliveries = values['deliveries'] = 1

    def store() -> None:
        note_requeued(job, began=True)
        row = {'deliveries': deliveries, 'until': suspension.until, 'completed': None}
        rows = JobStep.objects.using(using)
        if rows.filter(job=job.pk, key=suspension.key).update(**row):
            return
        step = JobStep(job_id=job.pk, key=suspension.key, kind=suspension.kind, name=suspension.name, **row)
        step.version, step.attempt, step.started = suspension.version, job.attempt, suspension.started
        step.save(using=using, force_insert=True)

    try:
        if not give_back(job, values, store, wait=wait):
            return False
    except JobLocked:
        leave_suspension(job, suspension, using)
        return True
    job.status, job.due, job.deliveries = JobStatusChoices.STATUS_SCHEDULED, values['due'], deliveries
    job.started, job.worker, job.attempt = None, None, job.attempt - 1
    if suspension.kind == WAIT:  # the signal may have come between the look for it and this commit
        transactions.after_commit(lambda: wake(job.pk, using, inline=False), using=using)
    return True


def finish_sleep(row: JobStep) -> None:
    """Record that a sleep is over."""
    rows = JobStep.objects.using(row._state.db).filter(pk=row.pk, completed=None)
    rows.update(completed=timezone.now())

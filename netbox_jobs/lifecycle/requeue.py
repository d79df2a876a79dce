"""Running to waiting: a claimed job is requeued, to be delivered again."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F

from ..choices import JobStatusChoices
from ..core import clock, runs, transactions
from ..core.claim import Claim
from ..core.text import storable_error
from ..models import Job, JobAttempt, PendingChange, database
from ..models.data import storable
from . import left
from .deliver import serve_limits_of, withdraw_after_commit
from .dependencies import depend
from .finish import STOPPED, finish
from .limits import is_limited
from .locks import JobLocked, ScheduleLocked, lock_job, lock_schedule, try_lock
from .rates import note_requeued

#: The name among the values of a `PendingChange` that says that a requeued job has no slot yet.
SLOT = 'slot'


def requeue(
    job: Job,
    delay: float,
    *,
    claim: Claim | None = None,
    after: str | None = None,
    crashed: bool = False,
    wait: bool = True,
) -> bool:
    """Requeue a claimed job, to be delivered `delay` seconds from now. One that is to be stopped ends instead.

    Args:
        job: The job; it loses its claim.
        delay: Seconds.
        claim: The claim given up, if it is not that of `job`.
        after: The error of this attempt, which is kept; None if the attempt does not count.
        crashed: Whether its process died, which is counted separately.
        wait: Whether to wait for a lock that another transaction holds on the job.

    Returns:
        Whether it was requeued, or is to be by recovery, as its row is locked (see `left.py`). False if this call has
        ended it as canceled (see `job.ended`), or the claim is lost.

    Raises:
        OperationalError: `wait` is False, and another transaction holds a lock.
    """
    values = _values(job, delay, after, crashed)
    try:
        return give_back(job, values, lambda: _keep_attempt(job, after, crashed), claim=claim, wait=wait)
    except JobLocked:
        left.leave_requeue(job, values['due'], after, job._state.db or database())
        return True


def give_back(
    job: Job, values: dict[str, Any], also: Callable[[], None], *, claim: Claim | None = None, wait: bool = True
) -> bool:
    """Have a claimed job wait in the database again. One that is to be stopped ends instead.

    Args:
        job: The job; it loses its claim.
        values: The columns to write.
        also: Called in the same transaction, once the row is written.
        claim: The claim given up, if it is not that of `job`.
        wait: Whether to wait for a lock that another transaction holds on the job.

    Returns:
        Whether it waits; see `requeue()`.

    Raises:
        JobLocked: Another transaction keeps the job locked, whose outcome may be left to recovery.
        OperationalError: `wait` is False, and another transaction holds a lock.
    """
    using, claim, leaves = job._state.db, claim or job.claim, wait and left.is_left(job)
    rows = Job.objects.using(using).filter(pk=job.pk, **(claim.conditions if claim is not None else {}))

    def write(*, to_slot: bool) -> bool:
        with transaction.atomic(using=using):
            if to_slot:  # else a transaction that makes the next occurrence, and so has the slot, would be waited for
                lock_schedule(job, using, wait)
            _lock(job, using, wait, leaves)
            # A stop that is requested at this moment is meant for every attempt.
            if not rows.filter(stopping=None).update(**values, **({'slot': F('schedule_id')} if to_slot else {})):
                return False
            _free_slot(job)
            also()
        return True

    try:
        given_back = write(to_slot=True)
    except ScheduleLocked:
        with transaction.atomic(using=using):
            if given_back := write(to_slot=False):
                PendingChange.leave(job, {SLOT: True}, using)
    except IntegrityError:  # the next occurrence was made while this one ran, and has the slot of the waiting one
        with transaction.atomic(using=using):
            given_back = write(to_slot=False) and _hold_next(job, using)
    if not given_back and rows.filter(stopping__isnull=False).exists():
        finish(job, JobStatusChoices.STATUS_CANCELED, STOPPED, claim=claim, wait=wait)
    else:
        _lose_claim(job)
    return given_back


def _lose_claim(job: Job) -> None:
    if job.claim is not None:
        job.claim = replace(job.claim, lost=True)


def _lock(job: Job, using: str, wait: bool, leaves: bool) -> None:
    if not wait:
        try_lock(Job.objects.using(using).filter(pk=job.pk), using)
    elif leaves:
        lock_job(job.pk, using)


def take_slot(job: Job, using: str) -> None:
    """Give a job the slot that it did not get when it was requeued, as another transaction kept its schedule locked.

    Args:
        job: The job. If it runs again, or has ended, it needs none.
        using: The alias of the database that holds the jobs, in a transaction that has the lock.
    """
    rows = Job.objects.using(using).waiting().filter(pk=job.pk, slot=None)
    try:
        with transaction.atomic(using=using):
            rows.update(slot=F('schedule_id'))
    except IntegrityError:
        _hold_next(job, using)


def _free_slot(job: Job) -> None:
    if is_limited(job):
        transactions.after_commit(lambda: serve_limits_of(job), using=job._state.db or database())


def _hold_next(job: Job, using: str) -> bool:
    """Have the next occurrence wait for this one, which it might overlap: of a running one, it was held by itself."""
    following = Job.objects.using(using).waiting().filter(slot=job.schedule_id).exclude(predecessor_id=job.pk).first()
    if following is None or (following.due is None and not following.held):
        return True
    rows = Job.objects.using(using).filter(pk=following.pk, status=following.status, deliveries=following.deliveries)
    options = {**following.options, 'allow_failure': True}
    held = is_limited(following)
    if rows.update(status=JobStatusChoices.STATUS_PENDING, due=None, options=options, held=held):
        if following.status == JobStatusChoices.STATUS_PENDING:
            withdraw_after_commit(following)
        depend(following, [job.job_id], using)
        job.awaited = True
    return True


def waiting_values(job: Job, due: int) -> dict[str, Any]:
    """Return what is written to the row of any job that is given back, due at `due` (milliseconds since the epoch)."""
    values: dict[str, Any] = {
        'status': JobStatusChoices.STATUS_SCHEDULED,
        'due': due,
        'started': None,
        'worker': None,
        'backend_id': None,
    }
    if is_limited(job):  # it waits for a slot anew
        values['held'] = True
    return values


def _values(job: Job, delay: float, after: str | None, crashed: bool) -> dict[str, Any]:
    values = waiting_values(job, clock.now_ms() + int(delay * 1000))
    if after is None:
        return values | {'attempt': F('attempt') - 1, 'releases': F('releases') + 1}
    if crashed:
        return values | {'crashes': F('crashes') + 1}
    return values | {'retries': F('retries') + 1, 'data': storable(job)}


def _keep_attempt(job: Job, after: str | None, crashed: bool) -> None:
    note_requeued(job, began=after is not None)
    if after is None:  # it does not count
        return
    JobAttempt.objects.using(job._state.db).create(
        job_id=job.pk,
        number=job.attempt,
        started=job.started,
        error=storable_error(runs.masked(job, after)),
        crashed=crashed,
    )

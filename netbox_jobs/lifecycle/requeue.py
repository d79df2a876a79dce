"""Running to waiting: a claimed job is requeued, to be delivered again."""

from dataclasses import replace
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F

from ..choices import JobStatusChoices
from ..core import clock
from ..core.claim import Claim
from ..core.text import storable_data, storable_error
from ..models import Job, JobAttempt
from .finish import STOPPED, finish
from .locks import try_lock


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
        claim: The claim that is given up, if it is not that of `job`.
        after: The error of this attempt, which is kept; None if the attempt does not count.
        crashed: Whether its process died, which is counted separately.
        wait: Whether to wait for a lock that another transaction holds on the job.

    Returns:
        Whether it was requeued; False if this call has ended it as canceled (see `job.ended`), or the claim is lost.

    Raises:
        OperationalError: `wait` is False, and another transaction holds a lock.
    """
    using = job._state.db
    claim = claim or job.claim
    rows = Job.objects.using(using).filter(pk=job.pk, **(claim.conditions if claim is not None else {}))
    values = _values(job, delay, after, crashed)

    def write(**more: Any) -> bool:
        with transaction.atomic(using=using):
            if not wait:
                try_lock(Job.objects.using(using).filter(pk=job.pk), using)
            # A stop that is requested at this moment is meant for every attempt.
            if not rows.filter(stopping=None).update(**values, **more):
                return False
            if after is not None:
                _keep_attempt(job, after, crashed)
        return True

    try:
        requeued = write(slot=F('schedule_id'))
    except IntegrityError:
        requeued = write()  # the next occurrence was made while this one ran, and has the slot of the waiting one
    if not requeued and rows.filter(stopping__isnull=False).exists():
        finish(job, JobStatusChoices.STATUS_CANCELED, STOPPED, claim=claim, wait=wait)
    elif job.claim is not None:
        job.claim = replace(job.claim, lost=True)
    return requeued


def _values(job: Job, delay: float, after: str | None, crashed: bool) -> dict[str, Any]:
    values: dict[str, Any] = {
        'status': JobStatusChoices.STATUS_SCHEDULED,
        'due': clock.now_ms() + int(delay * 1000),
        'started': None,
        'worker': None,
        'backend_id': None,
    }
    if after is None:
        return values | {'attempt': F('attempt') - 1, 'releases': F('releases') + 1}
    if crashed:
        return values | {'crashes': F('crashes') + 1}
    return values | {'retries': F('retries') + 1, 'data': storable_data(job.data, 'job.data')}


def _keep_attempt(job: Job, after: str, crashed: bool) -> None:
    JobAttempt.objects.using(job._state.db).create(
        job_id=job.pk, number=job.attempt, started=job.started, error=storable_error(after), crashed=crashed
    )

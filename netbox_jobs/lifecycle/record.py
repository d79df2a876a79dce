"""Records the outcomes of runs that were left beside the rows of their jobs, as these were locked (see `left.py`)."""

import json
import logging
from typing import Any

from django.db import OperationalError, connections, transaction

from ..core import clock
from ..core.claim import Claim
from ..models import Job, PendingChange
from . import left
from .changed import ARGUMENTS
from .finish import finish_as_left
from .requeue import requeue
from .suspend import suspend
from .unlocked import is_locked

logger = logging.getLogger('netbox_jobs')


def record(pk: int, using: str) -> bool | None:
    """Record the outcome that a run has left, unless something else has happened to its job meanwhile.

    Args:
        pk: The job.
        using: The alias of the database that holds the jobs.

    Returns:
        Whether this call has; False as long as the row is locked. None if no outcome was left, or if it counts no more.
    """
    try:
        with transaction.atomic(using=using):
            # Locked, so that what another run of the job leaves meanwhile is not deleted with it.
            changes = PendingChange.objects.using(using).filter(pk=pk)
            change = changes.select_for_update(nowait=connections[using].features.has_select_for_update_nowait).first()
            if change is None or left.OUTCOME not in change.values:
                return None
            job = Job.objects.using(using).filter(pk=pk).first()
            recorded = job is not None and _record(job, json.loads(change.values[left.OUTCOME]), using)
            change.refresh_from_db()  # with what this has just left itself, for the schedule
            change.forget(left.OUTCOME)
    except OperationalError as error:
        if not is_locked(error):
            raise
        logger.info('Job %s is still locked by another transaction: recovery records its outcome later.', pk)
        return False
    return recorded or None


def _record(job: Job, found: dict[str, Any], using: str) -> bool:
    """Write it under the claim of the run; return whether the row still had that."""
    job.claim = claim = Claim(
        job=job.pk,
        token=found['token'],
        attempt=found['attempt'],
        database=using,
        interval=found['interval'],
        since=0.0,
    )
    if 'end' in found:
        columns = left.columns_of(found)
        return finish_as_left(job, claim, columns['status'], columns, found.get(ARGUMENTS))
    job.data = found['data']
    if 'suspension' in found:
        return suspend(job, left.suspension_of(found), wait=False) or job.ended
    delay = max(0, found['requeue']['due'] - clock.now_ms()) / 1000
    return requeue(job, delay, claim=claim, after=found['requeue']['after'], wait=False) or job.ended

"""What others receive after a transition is committed: signals, the notification hook, and the jobs that waited."""

import logging
from dataclasses import dataclass, replace
from typing import Any

from django.db import transaction

from ..core.claim import Claim
from ..models import Job
from ..signals import job_end, job_start
from . import notifications
from .dependencies import release_dependents

logger = logging.getLogger('netbox_jobs')


def announce_start(job: Job) -> None:
    """Send `job_start` when the claim is committed."""
    transaction.on_commit(lambda: _send(job_start, job), using=job._state.db, robust=True)


@dataclass(eq=False, slots=True)
class EndAnnouncement:
    """The callback after the commit of a job's end; and what its object held before, in case that is rolled back."""

    job: Job
    claim: Claim | None
    status: str
    schedule_id: int | None

    def __call__(self) -> None:
        """Release the jobs that waited for this one, send `job_end`, and call the notification hook."""
        job = self.job
        if job.outcome is not None:
            job.outcome = replace(job.outcome, announcement=None)
        if job.awaited:
            try:
                release_dependents(job)
            except Exception:  # recovery looks at them again
                logger.exception('Job %s (%s): the jobs that depend on it could not be released yet.', job.pk, job.name)
        _send(job_end, job)
        notifications.notify(job)

    def undo(self) -> None:
        """Give the object back what it held before the end, which was rolled back."""
        self.job.claim, self.job.outcome = self.claim, None
        self.job.status, self.job.schedule_id = self.status, self.schedule_id


def _send(signal: Any, job: Job) -> None:
    name = 'job_start' if signal is job_start else 'job_end'
    if job.pk is None:  # run and deleted in one transaction; an object without a key cannot be a sender
        return
    for receiver, response in signal.send_robust(sender=job):
        if isinstance(response, Exception):
            logger.error('Job %s (%s): the %s receiver %r raised.', job.pk, job.name, name, receiver, exc_info=response)

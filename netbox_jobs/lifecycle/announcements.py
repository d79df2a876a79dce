"""What others are told of a transition, once it is committed."""

import logging
from typing import Any

from django.db import transaction

from ..models.jobs import Job
from ..signals import job_end, job_start
from . import notifications
from .dependencies import release_dependents

logger = logging.getLogger('netbox_jobs')


def announce_start(job: Job) -> None:
    """Send `job_start` when the claim is committed."""
    transaction.on_commit(lambda: _send(job_start, job), using=job._state.db, robust=True)


def conclude(job: Job) -> None:
    """What follows when the end of a job is committed."""
    job._before_end = None
    if job.awaited:
        try:
            release_dependents(job)
        except Exception:  # recovery looks at them again
            logger.exception('Job %s (%s): what depends on it could not be released yet.', job.pk, job.name)
    _send(job_end, job)
    notifications.notify(job)


def _send(signal: Any, job: Job) -> None:
    name = 'job_start' if signal is job_start else 'job_end'
    if job.pk is None:  # run and deleted in one transaction; an object without a key can be nobody's sender
        return
    for receiver, response in signal.send_robust(sender=job):
        if isinstance(response, Exception):
            logger.error('Job %s (%s): the %s receiver %r raised.', job.pk, job.name, name, receiver, exc_info=response)

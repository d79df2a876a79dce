"""What others receive after a transition is committed: signals, the notification hook, and the jobs that waited."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from ..core import conf, contexts, transactions
from ..core.claim import Claim
from ..models import Job, database
from ..signals import job_end, job_start
from . import notifications
from .deliver import serve_limits_of
from .dependencies import release_dependents
from .limits import is_limited

logger = logging.getLogger('netbox_jobs')


def announce_start(job: Job) -> None:
    """Send `job_start` when the claim is committed."""
    transactions.after_commit(lambda: _send(job_start, job), using=job._state.db or database(), at_once=True)


@dataclass(eq=False, slots=True)
class EndAnnouncement:
    """The callback after the commit of a job's end; and what its object held before, in case that is rolled back."""

    job: Job
    claim: Claim | None
    status: str
    schedule_id: int | None

    def __call__(self) -> None:
        """Release the jobs that waited for this one or its slot, send `job_end`, and call the notification hook."""
        job = self.job
        if job.outcome is not None:
            job.outcome = replace(job.outcome, announcement=None)
        if job.awaited:
            try:
                release_dependents(job)
            except Exception:  # recovery looks at them again
                logger.exception('Job %s (%s): the jobs that depend on it could not be released yet.', job.pk, job.name)
        if is_limited(job):
            serve_limits_of(job)
        _send(job_end, job)
        if conf.get('NOTIFY'):
            with _context(job):
                notifications.notify(job)

    def undo(self) -> None:
        """Give the object back what it held before the end, which was rolled back."""
        self.job.claim, self.job.outcome = self.claim, None
        self.job.status, self.job.schedule_id = self.status, self.schedule_id


def _send(signal: Any, job: Job) -> None:
    name = 'job_start' if signal is job_start else 'job_end'
    # Without a key: run and deleted in one transaction; such an object cannot be a sender.
    if job.pk is None or not signal.has_listeners(job):
        return
    with _context(job):
        answers = signal.send_robust(sender=job)
    for receiver, response in answers:
        if isinstance(response, Exception):
            logger.error('Job %s (%s): the %s receiver %r raised.', job.pk, job.name, name, receiver, exc_info=response)


@contextmanager
def _context(job: Job) -> Iterator[None]:
    """Restore what the job was enqueued in; its start and its end are announced also if that fails."""
    with ExitStack() as stack:
        try:
            stack.enter_context(contexts.restored(job))
        except Exception as error:
            logger.error('Job %s (%s): it is announced outside of its context: %s', job.pk, job.name, error)
        yield

"""What others receive after a transition is committed: signals, the notification hook, and the jobs that waited."""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from ..core import conf, contexts, transactions
from ..core.claim import Claim
from ..models import Job, database
from ..signals import job_end, job_start
from . import notifications, pace, workflows
from .deliver import serve_limits_of
from .dependencies import release_dependents
from .limits import is_limited

logger = logging.getLogger('netbox_jobs')
F = TypeVar('F', bound=Callable[..., Any])

# What receives the starts and the ends of some jobs only: whether a job concerns it, and the function.
_selective: dict[Any, list[tuple[Callable[[Job], bool], Callable[[Job], Any]]]] = defaultdict(list)


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
        """Release what waited for this job, tell its workflow, send `job_end`, and call the notification hook."""
        job = self.job
        if job.outcome is not None:
            job.outcome = replace(job.outcome, announcement=None)
        if job.awaited:
            try:
                release_dependents(job)
            except Exception:  # recovery looks at them again
                logger.exception('Job %s (%s): the jobs that depend on it could not be released yet.', job.pk, job.name)
        if job.workflow_id is not None:
            try:
                workflows.settle(job)
            except Exception:  # recovery does it
                logger.exception('Job %s (%s): its workflow could not be told of its end yet.', job.pk, job.name)
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


def receives(signal: Any, concerns: Callable[[Job], bool]) -> Callable[[F], F]:
    """Decorate a function that receives the starts or the ends of the jobs that concern it, after other receivers.

    Unlike a receiver of the signal, it costs other jobs nothing: their end and the claim on the next job stay one
    statement.
    """

    def register(receive: F) -> F:
        _selective[signal].append((concerns, receive))
        return receive

    return register


def is_silent(job: Job) -> bool:
    """Return whether no receiver wants the end of a job, so that it takes no time between this job and the next."""
    if job.awaited or job.workflow_id is not None:
        return False
    if is_limited(job) and not pace.rests(job, job._state.db or database()):
        return False
    if conf.get('NOTIFY') or job_end.has_listeners(job):
        return False
    return not any(concerns(job) for concerns, _receive in _selective[job_end])


def _send(signal: Any, job: Job) -> None:
    # Without a key: run and deleted in one transaction; such an object cannot be a sender.
    if job.pk is None:
        return
    is_heard = signal.has_listeners(job)
    selective = [receive for concerns, receive in _selective[signal] if concerns(job)]
    if not is_heard and not selective:
        return
    with _context(job):
        answers = signal.send_robust(sender=job) if is_heard else []
        answers += [(receive, _call(receive, job)) for receive in selective]
    name = 'job_start' if signal is job_start else 'job_end'
    for receiver, response in answers:
        if isinstance(response, Exception):
            logger.error('Job %s (%s): the %s receiver %r raised.', job.pk, job.name, name, receiver, exc_info=response)


def _call(receive: Callable[[Job], Any], job: Job) -> Any:
    try:
        return receive(job)
    except Exception as error:
        return error


@contextmanager
def _context(job: Job) -> Iterator[None]:
    """Restore what the job was enqueued in; its start and its end are announced also if that fails."""
    with ExitStack() as stack:
        try:
            stack.enter_context(contexts.restored(job))
        except Exception as error:
            logger.error('Job %s (%s): it is announced outside of its context: %s', job.pk, job.name, error)
        yield

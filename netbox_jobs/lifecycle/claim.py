"""A job that runs: how a process gets the claim, and how it gives it back."""

import time
from typing import Any
from uuid import UUID, uuid4

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from ..choices import JobStatusChoices
from ..core import clock, identity, runs
from ..core.text import storable_data, storable_error
from ..exceptions import AlreadyClaimed
from ..models import cached_sql
from ..models.jobs import Job
from ..models.progress import JobAttempt
from . import announcements, claim_statement, finish


def warm_up(using: str) -> None:
    """Have the SQL made by which jobs are claimed and ended, so that no child of this process has to do so."""
    rehearse(using)
    for job in (Job(pk=1), Job(pk=1, data={})):
        job._claimed_at = 0.0
        _status, values = finish.outcome(job, JobStatusChoices.STATUS_COMPLETED, None)
        fence = {'status': JobStatusChoices.STATUS_RUNNING, 'worker': identity.process_token(), 'attempt': 1}
        cached_sql.made_ready(using, values, {'id': job.pk, **fence})


def rehearse(using: str) -> None:
    """Claim a job that does not exist: from then on, the session knows the tables, and how to find a job."""
    claim_statement.take(uuid4(), identity.process_token(), using)


def claim(job_id: str, worker: str, using: str) -> Job | None:
    """Take a delivered job that is due, for this worker; None if it is not there to be taken.

    At most one caller gets it, however often it was delivered.
    """
    job = claim_statement.take(UUID(job_id), worker, using)
    if job is None:
        return None
    _hold(job)
    announcements.announce_start(job)
    return job


def start(job: Job) -> None:
    """Claim a job for code that calls `handle()` itself: also one made by hand, or one that has ended before."""
    if job._fence is not None and not job.ended:
        return
    run = runs.run_of(job)
    if run is not None and run.job is not job and run.job._fence is not None:
        job._fence = run.job._fence  # another object of the row that this process is running already
        return
    now = timezone.now()
    rows = Job.objects.using(job._state.db).filter(pk=job.pk)
    rows = rows.exclude(status=JobStatusChoices.STATUS_RUNNING, worker__isnull=False)
    if not rows.update(**claim_statement.values(identity.process_token(), now)):
        if not Job.objects.using(job._state.db).filter(pk=job.pk).exists():
            raise Job.DoesNotExist(f'Job {job.pk} ({job.name}) cannot be started: its row has been deleted.')
        raise AlreadyClaimed(f'Job {job.pk} ({job.name}) is being run by another worker.')
    claimed = Job.objects.using(job._state.db).values('started', 'attempt', 'worker').get(pk=job.pk)
    job.started, job.attempt, job.worker = claimed['started'], claimed['attempt'], claimed['worker']
    job.status, job.completed, job.execution_time, job.slot = JobStatusChoices.STATUS_RUNNING, None, None, None
    _hold(job)
    announcements.announce_start(job)


def hold_new(job: Job) -> None:
    """Take note that a row was inserted as claimed by this process (`immediate`)."""
    _hold(job)
    announcements.announce_start(job)


def _hold(job: Job) -> None:
    job._fence = {'status': JobStatusChoices.STATUS_RUNNING, 'worker': job.worker, 'attempt': job.attempt}
    job._claimed_interval = job.interval
    job._claimed_at = time.monotonic()


def release(job: Job, delay: float, *, after: str | None = None, crashed: bool = False, wait: bool = True) -> bool:
    """Give a claimed job back, to be delivered again `delay` seconds from now; one that is to be stopped ends instead.

    Args:
        job: The job, with the claim that it is released from.
        delay: Seconds.
        after: What this attempt ended with, which is kept; None if it is to be as if it had not been claimed.
        crashed: Whether its process died, which is counted by itself.
        wait: Whether to wait for a lock that somebody else holds on the job.

    Returns:
        Whether it was given back; False if it has ended as canceled by this call (see `job.ended`), or the claim is
        lost.

    Raises:
        OperationalError: `wait` is False, and somebody holds a lock.
    """
    using = job._state.db
    values: dict[str, Any] = {
        'status': JobStatusChoices.STATUS_SCHEDULED,
        'due': clock.now_ms() + int(delay * 1000),
        'started': None,
        'worker': None,
        'backend_id': None,
    }
    if after is None:
        values |= {'attempt': F('attempt') - 1, 'releases': F('releases') + 1}
    elif crashed:
        values |= {'crashes': F('crashes') + 1}
    else:
        values |= {'retries': F('retries') + 1, 'data': storable_data(job.data, 'job.data')}
    rows = Job.objects.using(using).filter(pk=job.pk, **(job._fence or {}))

    def write(**more: Any) -> bool:
        with transaction.atomic(using=using):
            if not wait:
                finish.try_lock(Job.objects.using(using).filter(pk=job.pk), using)
            # Who has asked for its end in this very moment means every attempt.
            if not rows.filter(stopping=None).update(**values, **more):
                return False
            if after is not None:
                JobAttempt.objects.using(using).create(
                    job_id=job.pk, number=job.attempt, started=job.started, error=storable_error(after), crashed=crashed
                )
        return True

    try:
        released = write(slot=F('schedule_id'))
    except IntegrityError:
        # The next occurrence was arranged while this one ran, and has the place of the waiting one.
        released = write()
    if not released and rows.filter(stopping__isnull=False).exists():
        finish.end(job, JobStatusChoices.STATUS_CANCELED, finish.STOPPED, wait=wait)
    return released

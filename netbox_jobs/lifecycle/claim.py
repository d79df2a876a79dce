"""Waiting to running: how a process gets the claim on a job."""

import logging
import time
from uuid import UUID, uuid4

from django.utils import timezone

from ..choices import JobStatusChoices
from ..core import identity, runs, transactions
from ..core.claim import Claim
from ..exceptions import AlreadyClaimed
from ..models import Job, database, services
from . import claim_sql
from .announcements import announce_start

logger = logging.getLogger('netbox_jobs')

#: Seconds for which a claim is tried on a job that another transaction has locked.
PATIENCE = 0.5


def claim(job_id: str, token: str, using: str) -> Job | None:
    """Claim a delivered job that is due.

    At most one caller gets it, however often it was delivered. A job that another transaction keeps locked, such as a
    view that changes it, is left to recovery, which delivers it again: a worker does not stand still beside it.

    Args:
        job_id: The job's `job_id`.
        token: The name under which the worker claims.
        using: The alias of the database that holds the jobs.

    Returns:
        The job, which has the claim; None if it is not there to be claimed.
    """
    give_up, pause = time.monotonic() + PATIENCE, 0.005
    while (job := transactions.again(lambda: claim_sql.take(UUID(job_id), token, using), using)) is None:
        if not claim_sql.is_there(UUID(job_id), using):
            job = claim_sql.taken_unanswered(UUID(job_id), token, using)
            break
        if time.monotonic() >= give_up:
            logger.info('Job %s is locked by another transaction: recovery delivers it again.', job_id)
            return None
        time.sleep(pause)
        pause = min(pause * 2, 0.1)
    if job is None:
        return None
    take_hold(job)
    announce_start(job)
    return job


@services.start.provide
def start(job: Job) -> None:
    """Claim a job for code that calls `handle()` itself: also one made by hand, or one that has ended before.

    Raises:
        AlreadyClaimed: Another worker runs it.
        Job.DoesNotExist: Its row has been deleted.
    """
    if (job.claim is not None or job.outcome is not None) and not job.ended:
        return
    run = runs.run_of(job)
    if run is not None and run.job is not job and (run.job.claim or run.job.outcome):
        job.claim, job.outcome = run.job.claim, run.job.outcome  # another object of the row that this process runs
        return
    rows = Job.objects.using(job._state.db).filter(pk=job.pk)
    rows = rows.exclude(status=JobStatusChoices.STATUS_RUNNING, worker__isnull=False)
    if not rows.update(**claim_sql.values(identity.process_token(), timezone.now())):
        if not Job.objects.using(job._state.db).filter(pk=job.pk).exists():
            raise Job.DoesNotExist(f'Job {job.pk} ({job.name}) cannot be started: its row has been deleted.')
        raise AlreadyClaimed(f'Job {job.pk} ({job.name}) is being run by another worker.')
    claimed = Job.objects.using(job._state.db).values('started', 'attempt', 'worker').get(pk=job.pk)
    job.started, job.attempt, job.worker = claimed['started'], claimed['attempt'], claimed['worker']
    job.status, job.completed, job.execution_time, job.slot = JobStatusChoices.STATUS_RUNNING, None, None, None
    take_hold(job)
    announce_start(job)


def start_claimed(job: Job) -> None:
    """Give an object the claim that its row has already: it was inserted with it, or claimed with the job before."""
    take_hold(job)
    announce_start(job)


def take_hold(job: Job) -> None:
    """Give an object the claim that its row shows for this process."""
    job.outcome = None
    job.claim = Claim(
        job=job.pk,
        token=job.worker or '',
        attempt=job.attempt,
        database=job._state.db or database(),
        interval=job.interval,
        since=time.monotonic(),
    )


def rehearse(using: str) -> None:
    """Claim a job that does not exist: from then on, the session knows the tables, and how to find a job."""
    claim_sql.take(uuid4(), identity.process_token(), using)

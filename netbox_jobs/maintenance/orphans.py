"""Running jobs whose process or worker is gone: each is accounted for, by a conditional UPDATE under its dead claim."""

import logging
from collections.abc import Callable, Container, Iterable
from datetime import timedelta

from django.db import OperationalError, connections, transaction
from django.utils import timezone

from ..choices import JobStatusChoices
from ..core import conf, runner_options
from ..core.claim import Claim
from ..lifecycle.finish import STOPPED, finish, reopen
from ..lifecycle.record import record
from ..lifecycle.requeue import requeue
from ..models import Job, JobLogEntry, RepairCount, Worker, database
from . import sessions
from .observer import RunKey

logger = logging.getLogger('netbox_jobs')

#: Seconds in which Redis tells a worker of a stop, unless it is away.
_TELLING = 3


def end_orphans(token: str, reason: str = '', runs: Container[RunKey] | None = None) -> int:
    """Account for the running jobs of a dead worker, and delete its row; return how many jobs there were.

    Args:
        token: The worker's.
        reason: Why it is known to be dead; that it has shown no sign of life, if omitted.
        runs: Those of its runs that are known to be as old as its death; all, if omitted.
    """
    using = database()
    worker = Worker.objects.using(using).filter(token=token).first()
    who = f'{worker.name} (process {worker.pid} on {worker.host})' if worker else f'that claimed it as {token}'
    reason = reason or f'no sign of life for {conf.get("WORKER_TIMEOUT")} seconds'
    running = Job.objects.using(using).running().filter(worker=token)
    orphans = [job for job in running if runs is None or (job.pk, job.attempt) in runs]
    for job in orphans:
        job.ran_on = worker.name if worker else ''
    ended = _end_each(orphans, f'The worker {who} is gone: {reason}.')
    if worker is not None and not Job.objects.using(using).running().filter(worker=token).exists():
        worker.delete()
        RepairCount.add(RepairCount.Kind.DEAD_WORKER, 1)
    return ended


def end_own_orphans(token: str, job_id: str | None = None, unchanged: Callable[[], bool] = lambda: True) -> int:
    """Account for what is recorded as running in a worker that does not run it; return how many jobs there were.

    Args:
        token: The worker's.
        job_id: RQ's id of what it runs; None if it runs nothing. Nothing is done while that is no job of ours.
        unchanged: Called once they have been found: whether the worker has begun no other job meanwhile, which would
            be among them.
    """
    running = Job.objects.using(database()).running().filter(worker=token)
    orphans = list(running)
    if job_id is not None:
        # What it runs may run others within itself (`immediate`), later than it has begun.
        current = next((job for job in orphans if str(job.job_id) == job_id[:36]), None)
        since = current.started if current is not None else None
        orphans = [job for job in orphans if since is not None and job.started is not None and job.started < since]
    if not orphans or not unchanged():
        return 0
    return _end_each(orphans, 'Its process is gone, and its end could not be recorded then.')


def _end_each(orphans: Iterable[Job], reason: str) -> int:
    ended = 0
    for job in orphans:
        try:
            if (recorded := record(job.pk, database())) is not None:  # its run is over
                ended += recorded
                continue
            logger.warning('Job %s (%s): %s', job.pk, job.name, reason)
            ended += end_orphan(job, reason)
        except Exception:  # one that cannot be ended does not keep the others from it
            if not connections[database()].is_usable():
                raise
            logger.exception('Job %s (%s) could not be ended; it is tried again.', job.pk, job.name)
    RepairCount.add(RepairCount.Kind.ORPHAN, ended)
    return ended


def to_be_stopped(token: str, *, seconds: float = _TELLING) -> list[str]:
    """Return the ids of the jobs that a worker runs although a stop was requested a while ago: Redis has not told."""
    requested = timezone.now() - timedelta(seconds=seconds)
    jobs = Job.objects.using(database()).running().filter(worker=token, stopping__lt=requested)
    return [str(job_id) for job_id in jobs.values_list('job_id', flat=True)]


def end_orphan(job: Job, reason: str, *, may_retry: bool = True) -> bool:
    """Account for one running job whose process has died: errored, or requeued if its runner asks for that.

    Args:
        job: The job, freshly loaded.
        reason: What happened to its process; the job's error.
        may_retry: False for a death that another attempt would only repeat, such as that of a time limit.

    Returns:
        Whether this call accounted for it, perhaps by the outcome that its run has left; False if another one has, or
        if a lock is in the way, which is removed for the next time.
    """
    if (recorded := record(job.pk, job._state.db or database())) is not None:
        return recorded
    reopen(job)  # an earlier call for this object may have been rolled back
    claim = job.claim or Claim(
        job=job.pk, token=job.worker or '', attempt=job.attempt, database=job._state.db or database()
    )
    try:
        # In one transaction, so that no reader sees the end without the line that says why.
        with transaction.atomic(using=job._state.db):
            done = _end_or_requeue(job, claim, reason, may_retry=may_retry)
            if done and job.stopping is None:
                line = {'level': 'error', 'message': reason}
                lines = JobLogEntry.from_dicts(job.pk, [line], job.attempt)
                JobLogEntry.objects.using(job._state.db).bulk_create(lines)
        return done
    except OperationalError as error:
        if job.ended:
            raise
        logger.warning('Job %s (%s) cannot be ended yet (%s).', job.pk, job.name, error)
        sessions.end(job)
        return False


def _end_or_requeue(job: Job, claim: Claim, reason: str, *, may_retry: bool) -> bool:
    if job.stopping is not None:
        return finish(job, JobStatusChoices.STATUS_CANCELED, STOPPED, claim=claim, wait=False)
    limit = runner_options.crash_limit(job.runner) if may_retry and job.is_signed else 0
    if job.crashes < limit:
        done = requeue(job, 0, claim=claim, after=reason, crashed=True, wait=False) or job.ended
        if not job.ended:
            logger.warning('Job %s (%s) is run again after crash %s of %s.', job.pk, job.name, job.crashes + 1, limit)
        return done
    if limit:
        reason += f' It has crashed {job.crashes + 1} times; it is run again {limit} times at most.'
    return finish(job, JobStatusChoices.STATUS_ERRORED, reason, claim=claim, wait=False)

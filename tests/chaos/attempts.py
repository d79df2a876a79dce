"""What must be zero among the attempts at a job, and among the signals of its end."""

from collections import Counter, defaultdict

from netbox_jobs.models import Job, JobAttempt
from tests.app.models import Trace

from .state import State

#: Seconds after an end within which a blow may have struck the process that was about to tell of it.
TELLING = 1.5
#: How the errors of a session begin that was cut in the middle of `run()`.
DATABASE_ERRORS = ('OperationalError', 'InterfaceError', 'InternalError', 'DatabaseError')


def wrong(
    chaos: State, jobs: dict[int, Job], traces: dict[int, list[Trace]], starts: Counter[int]
) -> dict[str, list[int]]:
    """The primary keys of the jobs for which something is not as it must be, by what that is."""
    kept: dict[int, list[JobAttempt]] = defaultdict(list)
    for attempt in JobAttempt.objects.order_by('job_id', 'number'):
        kept[attempt.job_id].append(attempt)
    ended = [job for job in jobs.values() if job.ended]
    return {
        'attempts that are not one, and one for each retry and each crash': [
            job.pk for job in ended if job.attempt != _attempts(job)
        ],
        'attempts before the last that are not kept, each as what it was': [
            pk
            for pk, job in jobs.items()
            if (sum(a.crashed for a in kept[pk]), sum(not a.crashed for a in kept[pk])) != (job.crashes, job.retries)
            or [a.number for a in kept[pk]] != list(range(1, job.crashes + job.retries + 1))
        ],
        'attempts that did not start, although nothing struck them': [
            job.pk
            for job in ended
            if job.attempt - starts[job.pk] > job.crashes + (job.status != 'completed') + _cut(kept[job.pk])
        ],
        'retried, and not as often as was asked for': [
            pk for pk, fails in chaos.fails.items() if pk in jobs and not _retried_rightly(jobs[pk], fails, kept[pk])
        ],
        'ended without job_end, although nothing struck then': [
            job.pk
            for job in ended
            if not any(trace.what == 'told' for trace in traces[job.pk]) and not _struck_at_end(chaos, job)
        ],
    }


def _attempts(job: Job) -> int:
    """How many there must have been: those that were given back, and the one that ended (unless it waited then)."""
    return job.crashes + job.retries + (job.started is not None)


def _cut(kept: list[JobAttempt]) -> int:
    """How many of these attempts ended with an error of the database: maybe before they could leave a trace."""
    return sum(not attempt.crashed and attempt.error.startswith(DATABASE_ERRORS) for attempt in kept)


def _retried_rightly(job: Job, fails: int, kept: list[JobAttempt]) -> bool:
    most = fails + _cut(kept)  # an attempt that was cut off has failed as well
    if job.status == 'completed':
        return fails <= job.retries <= most
    # Errored when the retries are used up, or by a death; canceled at any attempt.
    return job.retries <= min(most, 4)


def _struck_at_end(chaos: State, job: Job) -> bool:
    if 'after it' in job.arguments_shown or job.completed is None:
        return True
    if job.stopping is not None and job.status == 'completed':
        return True  # the stop came as it ended, and ended its process before that could tell
    moment = job.completed.timestamp()
    return any(-TELLING < blow - moment < TELLING for blow in chaos.blows)

"""What must be nought among jobs with limits and rates, unique jobs and steps: who held what at once, what is left."""

from collections import defaultdict
from datetime import datetime, timedelta
from itertools import pairwise

from netbox_jobs.choices import JobStatusChoices
from netbox_jobs.maintenance import slots
from netbox_jobs.models import Job, JobAttempt, JobStep, LimitSlot, RateStart, UniqueJob
from tests.app.counted import WorkingInSteps, WorkingUnique
from tests.app.models import Trace
from tests.app.waiting import WorkingAsleep, WorkingSignaled

from .state import State

#: Seconds between a claim, or a request of another process, and the trace of it.
CLAIMED = 2.0
#: Seconds between the moment that a new job carries and the look at those which are the same.
LOOKED = 2.0
#: Between their traces, these keep no worker.
_WITH_PAUSES = (WorkingAsleep.name, WorkingSignaled.name)


def wrong(chaos: State, jobs: dict[int, Job], traces: dict[int, list[Trace]]) -> dict[str, list[int]]:
    """The primary keys of the jobs for which something is not as it must be, by what that is."""
    slots.sweep()
    open_ = Job.objects.filter(status__in=JobStatusChoices.ENQUEUED_STATE_CHOICES).values('pk')
    return {
        'more at once than a limit allows': _above_limits(jobs, traces),
        'more at once than a queue was allowed for a while': _above_queue_limits(chaos, jobs, traces),
        'more begun within the time of a rate than it allows': _above_rates(jobs),
        'permits of rates that are held after the end': list(
            RateStart.objects.exclude(job_id__in=open_).filter(until=None).values_list('job_id', flat=True)
        ),
        'slots of limits that are held after the end': list(
            LimitSlot.objects.exclude(job_id__in=open_).values_list('job_id', flat=True)
        ),
        'two of a unique job at once': _not_unique(jobs),
        'unique jobs that are held after the end': list(
            UniqueJob.objects.exclude(job_id__in=open_).filter(until=0).values_list('job_id', flat=True)
        ),
        'steps that are not stored once, with what they wrote': _steps(jobs, traces),
    }


def _above_limits(jobs: dict[int, Job], traces: dict[int, list[Trace]]) -> list[int]:
    by_limit: dict[str, list[int]] = defaultdict(list)
    for pk, job in jobs.items():
        if job.limit:
            by_limit[job.limit].append(pk)
    return [pk for found in by_limit.values() for pk in _too_many(found, jobs, traces, jobs[found[0]].limit_most or 1)]


def _above_queue_limits(chaos: State, jobs: dict[int, Job], traces: dict[int, list[Trace]]) -> list[int]:
    """Look at the runs that began while the limit of the queue was there."""
    above = []
    for queue, most, began, over in chaos.limited_queues:
        within = [
            pk
            for pk, job in jobs.items()
            if job.queue_name == queue
            and pk not in chaos.suspended
            and (run := _last_run(job, traces[pk])) is not None
            and began + CLAIMED < run[0].at.timestamp() < over
        ]
        above += _too_many(within, jobs, traces, most)
    return above


def _too_many(keys: list[int], jobs: dict[int, Job], traces: dict[int, list[Trace]], most: int) -> list[int]:
    """Return those of these jobs that ran at a moment at which more than `most` of them did."""
    moments = []
    for pk in keys:
        if (run := _last_run(jobs[pk], traces[pk])) is not None:
            moments += [(run[0].at, 1, pk), (run[1].at, -1, pk)]
    above, running = [], set[int]()
    for _at, change, pk in sorted(moments):
        (running.add if change > 0 else running.discard)(pk)
        if len(running) > most:
            above += sorted(running)
    return above


def _last_run(job: Job, traces: list[Trace]) -> tuple[Trace, Trace] | None:
    """Return the last run of a completed job without sleeps: its claim was good to the end."""
    started = [trace for trace in traces if trace.what == 'start']
    ended = [trace for trace in traces if trace.what == 'end']
    if job.status != 'completed' or not started or not ended or started[-1].pid != ended[-1].pid:
        return None
    return None if job.name in _WITH_PAUSES else (started[-1], ended[-1])


def _above_rates(jobs: dict[int, Job]) -> list[int]:
    """Look at the moment of each claim, that of each attempt: in no window do more begin."""
    starts: dict[str, list[tuple[datetime, int]]] = defaultdict(list)
    allowed: dict[str, tuple[int, int]] = {}
    kept = defaultdict(list)
    for pk, started in JobAttempt.objects.filter(started__isnull=False).values_list('job_id', 'started'):
        kept[pk].append(started)
    for pk, job in jobs.items():
        if job.rate:
            allowed[job.rate] = job.rate_most or 1, job.rate_per or 0
            starts[job.rate] += [(started, pk) for started in (*kept[pk], job.started) if started is not None]
    above = []
    for name, found in starts.items():
        most, per = allowed[name]
        found.sort()
        above += [
            pk
            for (before, _pk), (after, pk) in zip(found, found[most:], strict=False)
            if after - before < timedelta(milliseconds=per)
        ]
    return above


def _not_unique(jobs: dict[int, Job]) -> list[int]:
    same = defaultdict(list)
    for pk, job in sorted(jobs.items()):
        if job.name == WorkingUnique.name and job.retry_of_id is None:
            same[job.arguments_shown].append(pk)
    return [
        after
        for found in same.values()
        for before, after in pairwise(found)
        if not (ended := jobs[before].completed) or (ended - jobs[after].created).total_seconds() > LOOKED
    ]


def _steps(jobs: dict[int, Job], traces: dict[int, list[Trace]]) -> list[int]:
    stored = defaultdict(list)
    for pk, name in JobStep.objects.values_list('job_id', 'name'):
        stored[pk].append(name)
    odd = []
    for pk, job in jobs.items():
        if job.name == WorkingInSteps.name and job.retry_of_id is None:
            written = sorted(trace.what for trace in traces[pk] if trace.what.startswith('step '))
            whole = job.status != 'completed' or len(written) == 3
            if written != sorted(stored[pk]) or len(set(written)) != len(written) or not whole:
                odd.append(pk)
    return odd

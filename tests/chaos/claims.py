"""What must be nought among the jobs with limits, unique jobs and steps: who held what at once, and what is left."""

from collections import defaultdict
from itertools import pairwise

from netbox_jobs.choices import JobStatusChoices
from netbox_jobs.maintenance import slots
from netbox_jobs.models import Job, JobStep, LimitSlot, UniqueJob
from tests.app.counted import WorkingInSteps, WorkingUnique
from tests.app.models import Trace

#: Seconds between the moment that a new job carries and the look at those which are the same.
LOOKED = 2.0


def wrong(jobs: dict[int, Job], traces: dict[int, list[Trace]]) -> dict[str, list[int]]:
    """The primary keys of the jobs for which something is not as it must be, by what that is."""
    slots.sweep()
    open_ = Job.objects.filter(status__in=JobStatusChoices.ENQUEUED_STATE_CHOICES).values('pk')
    return {
        'more at once than a limit allows': _above_limits(jobs, traces),
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
    """Look at the last attempt of each completed job: that its claim was good to the end is known of it alone."""
    moments = defaultdict(list)
    for pk, job in jobs.items():
        started = [trace for trace in traces[pk] if trace.what == 'start']
        ended = [trace for trace in traces[pk] if trace.what == 'end']
        if job.limit and job.status == 'completed' and started and ended and started[-1].pid == ended[-1].pid:
            moments[job.limit] += [(started[-1].at, 1, pk), (ended[-1].at, -1, pk)]
    above = []
    for found in moments.values():
        running: set[int] = set()
        for _at, change, pk in sorted(found):
            (running.add if change > 0 else running.discard)(pk)
            if len(running) > (jobs[pk].limit_most or 1):
                above += sorted(running)
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

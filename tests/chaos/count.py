"""The count at the end: what was done, and what must be nought."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Count

from netbox_jobs.models import Job, JobAttempt, Schedule
from tests.app.models import Trace
from tests.model.replay import Replay

from . import attempts, claims, flows, order, signaled, steered
from .state import State


@dataclass
class Report:
    """What was done, and what must be nought."""

    seed: int
    seconds: float
    enqueued: int
    outcomes: Counter[str]
    struck: Counter[str]
    detection: dict[str, list[float]]
    lateness: list[float]
    wrong: dict[str, list[Any]] = field(default_factory=dict)
    rows: list[str] = field(default_factory=list)
    writes: Counter[str] = field(default_factory=Counter)

    @property
    def violations(self) -> dict[str, list[Any]]:
        """What is not nought."""
        return {what: jobs for what, jobs in self.wrong.items() if jobs}

    def __str__(self) -> str:
        lines = [
            f'seed {self.seed}: {self.enqueued} jobs, {sum(self.struck.values())} faults, {self.seconds:.0f} s',
            'faults:     ' + ', '.join(f'{name} {count}' for name, count in sorted(self.struck.items())),
            'outcomes:   ' + ', '.join(f'{name} {count}' for name, count in sorted(self.outcomes.items())),
            'writes:     ' + ', '.join(f'{name} {count}' for name, count in sorted(self.writes.items())),
            *(
                f'detection:  {_spread(seconds)} from {what} to the end of the attempt'
                for what, seconds in sorted(self.detection.items())
            ),
            f'lateness:   {_spread(self.lateness)} from the time of a scheduled job to its delivery',
            *(f'{len(jobs):>6}  {what}{f": {jobs[:10]}" if jobs else ""}' for what, jobs in self.wrong.items()),
            *self.rows,
        ]
        return '\n'.join(lines)


def count(chaos: State, seconds: float, replay: Replay) -> Report:
    """Look at every job, every trace, and every change of a row."""
    jobs = {job.pk: job for job in Job.objects.filter(name__startswith='Working')}
    traces: dict[int, list[Trace]] = defaultdict(list)
    for trace in Trace.objects.order_by('at', 'pk'):
        traces[trace.job_pk].append(trace)
    starts = Counter({pk: sum(trace.what == 'start' for trace in found) for pk, found in traces.items()})
    ended = [job for job in jobs.values() if job.ended]
    chains = [job for job in ended if job.schedule_id and Schedule.objects.filter(pk=job.schedule_id).exists()]
    gone = chaos.deleted | chaos.deleted_waiting
    # Those that were deleted since were made all the same.
    followed = [*(job.predecessor_id for job in jobs.values()), *gone.values()]
    successors = Counter(pk for pk in followed if pk is not None)
    to_come = {
        job.pk
        for job in jobs.values()
        if job.status == 'scheduled' and job.predecessor_id and not job.crashes and not job.retries
    }
    wrong: dict[str, list[Any]] = {
        'faults that could not strike in time': chaos.left_over,
        'lost: committed, and neither there nor deleted': sorted(chaos.enqueued - jobs.keys() - gone.keys()),
        'not ended, and no next occurrence either': [
            pk for pk, job in jobs.items() if not job.ended and pk not in to_come
        ],
        'completed and never run': [job.pk for job in ended if job.status == 'completed' and not starts[job.pk]],
        'completed although it could not': [
            pk for pk in chaos.cannot_complete if pk in jobs and jobs[pk].status == 'completed'
        ],
        'errored without saying why': [job.pk for job in ended if job.status == 'errored' and not job.error],
        'run twice at once': [
            pk for pk, found in traces.items() if pk not in chaos.suspended and _overlap(found)
        ],
        'run again without leave': [
            pk for pk, number in starts.items() if pk in jobs and number > 1 + jobs[pk].crashes + jobs[pk].retries
        ],
        'told to have ended more than once': [
            pk for pk, found in traces.items() if sum(trace.what == 'told' for trace in found) > 1
        ],
        'run although rolled back': [job.pk for job in jobs.values() if str(job.job_id) in chaos.rolled_back],
        'run although deleted while waiting': [pk for pk in chaos.deleted_waiting if starts[pk]],
        'back although deleted': sorted(gone.keys() & jobs.keys()),
        'periodic, ended, and without a successor': [job.pk for job in chains if not successors[job.pk]],
        'periodic with two successors': [pk for pk, number in successors.items() if number > 1],
        'schedules with two waiting jobs': [
            row['schedule']
            for row in Job.objects.waiting().exclude(schedule=None).values('schedule').annotate(n=Count('pk'))
            if row['n'] > 1
        ],
        'changes of rows that the model does not allow': replay.violations,
        'sleepers that completed without one step, sleep and step': [
            job.pk
            for job in ended
            if job.name == 'Working, and sleeping' and job.status == 'completed' and not _has_slept(job)
        ],
        'sleepers that ran a finished step again': [
            job.pk
            for job in ended
            if job.name == 'Working, and sleeping' and not job.crashes and starts[job.pk] > 1
        ],
        **attempts.wrong(chaos, jobs, traces, starts),
        **steered.wrong(chaos, jobs, traces),
        **flows.wrong(chaos),
        **claims.wrong(chaos, jobs, traces),
        **signaled.wrong(jobs, traces),
        **order.wrong(chaos, jobs),
    }  # fmt: skip
    lateness = [
        job.due / 1000 - job.scheduled.timestamp()
        for job in ended
        if job.due and job.scheduled and not job.schedule_id and job.attempt == 1 and job.deliveries == 1
    ]
    return Report(
        chaos.seed, seconds, len(chaos.enqueued), Counter(job.status for job in jobs.values()), chaos.counts,
        _detection(chaos, jobs), lateness, wrong, _rows(wrong, jobs, traces), replay.writes,
    )  # fmt: skip


def _has_slept(job: Job) -> bool:
    return [(step.kind, step.completed is not None) for step in job.steps.all()] == [
        ('step', True), ('sleep', True), ('step', True),
    ]  # fmt: skip


def _rows(wrong: dict[str, list[Any]], jobs: dict[int, Job], traces: dict[int, list[Trace]]) -> list[str]:
    """What the database says of the jobs that are not as they must be, and of the others of their schedules."""
    named = {pk for found in wrong.values() for pk in found if pk in jobs}
    chains = {jobs[pk].schedule_id for pk in named} - {None}
    shown = ('status', 'name', 'schedule_id', 'slot', 'predecessor_id', 'attempt', 'crashes', 'retries', 'releases',
             'deliveries', 'scheduled', 'started', 'completed', 'stopping', 'error')  # fmt: skip
    lines = []
    for pk, job in sorted(jobs.items()):
        if pk in named or job.schedule_id in chains:
            values = ', '.join(f'{name} {getattr(job, name)}' for name in shown)
            told = ', '.join(f'{trace.what} {trace.at:%H:%M:%S.%f} in {trace.pid}' for trace in traces[pk])
            lines.append(f'job {pk}: {values}; traces: {told}')
    return lines


def _detection(chaos: State, jobs: dict[int, Job]) -> dict[str, list[float]]:
    """Seconds from each death to the recorded end of that attempt."""
    found: dict[str, list[float]] = defaultdict(list)
    given_back = {(job, number): ended for job, number, ended in _attempts()}
    for (pk, attempt), (moment, what) in chaos.deaths.items():
        job = jobs.get(pk)
        if job is None:
            continue
        ended = given_back.get((pk, attempt))
        if ended is None and job.attempt == attempt and job.status in ('errored', 'canceled'):
            ended = job.completed
        if ended is not None and ended.timestamp() >= moment:
            found[what].append(ended.timestamp() - moment)
    return found


def _attempts() -> Iterable[tuple[int, int, datetime]]:
    return JobAttempt.objects.values_list('job_id', 'number', 'ended')


def _overlap(traces: list[Trace]) -> bool:
    """Whether a run began while another process, which later came to its own end, was still at it."""
    began: dict[int, int] = {trace.pid: number for number, trace in enumerate(traces) if trace.what == 'start'}
    for number, trace in enumerate(traces):
        if trace.what == 'end' and trace.pid in began:
            between = traces[began[trace.pid] + 1 : number]
            if any(other.what == 'start' for other in between):
                return True
    return False


def _spread(seconds: list[float]) -> str:
    if not seconds:
        return 'none'
    return f'median {statistics.median(seconds):.1f} s, max {max(seconds):.1f} s ({len(seconds)} times)'

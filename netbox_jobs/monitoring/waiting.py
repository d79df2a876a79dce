"""The reason why a job waits. Every wait has one."""

from dataclasses import replace

from ..broker import connection
from ..choices import JobStatusChoices
from ..core import clock
from ..core.order import is_line
from ..core.rates import PREFIX
from ..core.waits import BEHIND, Wait, WaitKind
from ..lifecycle import job_signals, rates
from ..models import Job, JobStep, LimitRow, LimitSlot, PausedQueue, Schedule, Worker, WorkflowMember
from .queues import served_by

#: How many of the jobs that a job waits for are named.
NAMED = 5


def reason(job: Job, *, in_full: bool = False) -> Wait | None:
    """Return why a job waits; None if it does not wait.

    Args:
        job: The job, as it was loaded.
        in_full: Whether to find out also what costs more: whether the queue's Redis answers, which takes a moment if it
            does not, and how many jobs of the queue come before it.
    """
    if job.status not in JobStatusChoices.WAITING_STATE_CHOICES:
        return None
    if job.due is None and job.object_type_id is not None and job.object_id is None:
        return Wait(WaitKind.UNSAVED)
    if job.due is None and job.held and job.status == JobStatusChoices.STATUS_SCHEDULED:
        return _limit(job, in_full)
    if job.due is None and job.status == JobStatusChoices.STATUS_SCHEDULED and job.runner:
        return Wait(WaitKind.SCHEDULE_LOCKED)
    if job.due is None:
        return _workflow(job) or _dependencies(job)
    paused = job.paused_by
    if paused == 'schedule':
        return Wait(WaitKind.SCHEDULE_PAUSED, schedule=job.schedule_id)
    if job.due > clock.now_ms():
        return _later(job)
    if paused:
        return Wait(WaitKind.QUEUE_PAUSED, queue=job.queue_name)
    if (previous := _previous_occurrence(job)) is not None:
        return Wait(WaitKind.PREVIOUS, jobs=(previous,), schedule=job.schedule_id)
    if in_full and not connection.answers(job.queue_name):
        return Wait(WaitKind.REDIS, queue=job.queue_name)
    return _in_queue(job, in_full)


def _in_queue(job: Job, in_full: bool) -> Wait:
    workers = Worker.objects.using(job._state.db).only('queues')
    if not any(job.queue_name in served_by(worker) for worker in workers):
        return Wait(WaitKind.NO_WORKER, queue=job.queue_name)
    return Wait(WaitKind.IN_LINE, queue=job.queue_name, more=_before(job) if in_full else 0)


def _before(job: Job) -> int:
    """Return how many jobs of the queue come before a job that is due, up to `BEHIND` + 1; 0 if it is not known.

    A job with a key has a place among those of its key, and nothing says how many of other keys come before.
    """
    using = job._state.db
    ahead = Job.objects.using(using).filter(queue_name=job.queue_name, status=JobStatusChoices.STATUS_PENDING)
    if not job.held:
        earlier = ahead.filter(due__lt=job.due) | ahead.filter(due=job.due, pk__lt=job.pk)
        return len(earlier.order_by().values_list('pk')[: BEHIND + 1])
    own = LimitSlot.objects.using(using).filter(job=job.pk, since__isnull=False).first()
    if own is None or own.key:
        return 0
    line = LimitSlot.objects.using(using).filter(limit=own.limit, queue=own.queue)
    first = line.filter(since__lt=own.since) | line.filter(since=own.since, pk__lt=own.pk)
    delivered = ahead.filter(due__isnull=False)
    number = sum(len(rows.order_by().values_list('pk')[: BEHIND + 1]) for rows in (first, delivered))
    return min(number, BEHIND + 1)


def without_others(wait: Wait) -> Wait:
    """Return a reason without the numbers of other jobs and of the schedule, which a job's own user may not see."""
    return replace(wait, jobs=(), more=0, schedule=None, workflow=None)


def _workflow(job: Job) -> Wait | None:
    if job.workflow_id is None:
        return None
    gated = WorkflowMember.objects.using(job._state.db).filter(job=job.pk, gated=True)
    return Wait(WaitKind.WORKFLOW, workflow=job.workflow_id) if gated.exists() else None


def _dependencies(job: Job) -> Wait:
    awaited = job.dependencies.using(job._state.db).exclude(status__in=JobStatusChoices.TERMINAL_STATE_CHOICES)
    keys = sorted(awaited.values_list('pk', flat=True))
    return Wait(WaitKind.JOBS, jobs=tuple(keys[:NAMED]), more=len(keys[NAMED:]))


def _limit(job: Job, in_full: bool) -> Wait:
    using = job._state.db
    if job.schedule_id and Schedule.objects.using(using).filter(pk=job.schedule_id, paused=True).exists():
        return Wait(WaitKind.SCHEDULE_PAUSED, schedule=job.schedule_id)
    if PausedQueue.objects.using(using).filter(name=job.queue_name).exists():
        return Wait(WaitKind.QUEUE_PAUSED, queue=job.queue_name)
    key = LimitSlot.objects.using(using).filter(job=job.pk, since__isnull=False).values_list('limit', flat=True).first()
    row = LimitRow.objects.using(using).filter(key=key or '').first()
    if row is not None and is_line(row.name):
        return _in_queue(job, in_full)
    if row is None:  # it has been given a slot at this moment
        return Wait(WaitKind.IN_LINE, queue=job.queue_name)
    if row.per is not None:
        free_at = rates.free_at(row, using)
        until = None if free_at is None else clock.from_ms(free_at)
        name = row.name.removeprefix(PREFIX)
        return Wait(WaitKind.RATE, queue=job.queue_name, limit=name, most=row.most, per=row.per / 1000, until=until)
    slots = LimitSlot.objects.using(using).filter(limit=row.key, queue='', job__held=False)
    running = slots.filter(job__status__in=JobStatusChoices.ENQUEUED_STATE_CHOICES).order_by('job_id')
    keys = tuple(running.values_list('job_id', flat=True)[:NAMED])
    return Wait(WaitKind.LIMIT, jobs=keys, queue=job.queue_name, limit=row.name, most=row.most)


def _later(job: Job) -> Wait:
    assert job.due is not None
    if (step := job_signals.wait_of(job)) is not None:
        until = None if step.until is None else clock.from_ms(step.until)
        if step.kind == JobStep.Kind.WAIT:
            return Wait(WaitKind.SIGNAL, signal=step.name, until=until)
        return Wait(WaitKind.SLEEP, until=until)
    until = clock.from_ms(job.due)
    if job.attempt:
        return Wait(WaitKind.BACKOFF, until=until, attempt=job.attempt + 1)
    return Wait(WaitKind.DUE, until=until)


def _previous_occurrence(job: Job) -> int | None:
    """Return an occurrence of the schedule that is to end first: the predecessor, a running or a requeued one."""
    if job.schedule_id is None:
        return None
    jobs = Job.objects.using(job._state.db)
    enqueued = JobStatusChoices.ENQUEUED_STATE_CHOICES
    if job.predecessor_id and jobs.filter(pk=job.predecessor_id, status__in=enqueued).exists():
        return job.predecessor_id
    # All running jobs are read, which are few; see `schedule_states()`.
    running = jobs.running().exclude(pk=job.pk).values_list('pk', 'schedule_id')
    if found := next((pk for pk, schedule in running if schedule == job.schedule_id), None):
        return found
    if job.status != JobStatusChoices.STATUS_SCHEDULED or job.slot is None:
        return None
    requeued = jobs.waiting().filter(schedule=job.schedule_id, slot=None)
    return requeued.values_list('pk', flat=True).first()

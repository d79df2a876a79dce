"""`enqueue_once()`: the one waiting job of a runner and an object, kept up to date under its schedule's lock."""

from collections.abc import Collection
from datetime import datetime

from django.db import OperationalError, connections
from django.utils import timezone

from ..choices import JobStatusChoices
from ..lifecycle.deliver import deliver_after_commit
from ..lifecycle.dependencies import depend
from ..lifecycle.reservation import LateSlot, UniqueSlot
from ..lifecycle.unlocked import is_locked, waiting_at_most
from ..models import Job, Schedule, database
from ..models.schedules import SHARED
from . import late
from .changes import changes_of, update_waiting
from .inherit import inherit
from .request import EnqueueRequest
from .rows import insert_job, new_job
from .successor import succeed

#: The fields that say when a schedule recurs.
_WHEN = frozenset({'cron', 'interval', 'time_zone'})
#: How often to look again at a job that was claimed, requeued or delivered between the look and the UPDATE.
_LOOKS = 5


def find_locked(request: EnqueueRequest, schedule: Schedule, *, final: bool = True) -> Job | UniqueSlot:
    """Return the waiting job of the request's runner and object, brought up to date; or the slot for a new one.

    Jobs that `enqueue()` made are neither touched nor counted.

    Args:
        request: What the caller asks for; fields that it has not named stay as they are.
        schedule: Its schedule, locked.
        final: Whether the runner's own `enqueue()` would not change the request.
    """
    using = database()
    given = request.given
    recurred = bool(schedule.recurrence)
    moved = bool(given & _WHEN) and schedule.recurrence != request.recurrence
    if moved:
        if request.scheduled is None and request.recurrence:
            request.scheduled = _moved_to(schedule, request, using)
            given = given | ({'schedule_at'} if request.scheduled is not None else set())
        _write(schedule, {name: getattr(request, name) for name in _WHEN}, using)
    for _ in range(_LOOKS):
        job = _waiting_or_running(schedule, using)
        if job is None or job.slot is None:
            break
        if job.status not in JobStatusChoices.WAITING_STATE_CHOICES:
            # Another query has given it another status.
            Job.objects.using(using).filter(pk=job.pk).update(slot=None)
        elif not final and ('kwargs' in given or changes_of(job, request, given)):
            break
        elif update_waiting(job, schedule, request, given):
            return job
    if job is not None and final and _needs_no_other(job, request, given, moved):
        return job
    return UniqueSlot(request.key, schedule, job or (schedule.last_job if recurred else None), given, moved)


def _moved_to(schedule: Schedule, request: EnqueueRequest, using: str) -> datetime | None:
    """Return when the waiting job is due by the new recurrence; None if it stays when it is.

    A time of cron counts at once. An interval that would have it run sooner counts from the job before it, unless
    another time than that of the old interval was named for it.
    """
    now = timezone.now()
    if request.cron:
        return request.recurrence.first(now)
    job = Job.objects.using(using).filter(slot=schedule.pk).first()
    if job is None or job.scheduled is None or job.predecessor_id is None:
        return None
    before = Job.objects.using(using).filter(pk=job.predecessor_id).first()  # retention may have deleted it
    began = (before.scheduled or before.started) if before is not None else None
    began = began or job.created
    sooner = request.recurrence.next(began, now)
    kept = sooner >= job.scheduled or not schedule.recurrence.would_have(began, job.created, job.scheduled)
    return None if kept else sooner


def fill(slot: UniqueSlot, request: EnqueueRequest, late_job: Job | None = None) -> Job:
    """Insert the job of `enqueue_once()`, or update it, as the runner's own `enqueue()` has made the request.

    Args:
        slot: Where it belongs.
        request: The request.
        late_job: A job that is to fill the slot, instead of a new one.
    """
    slot.filled.append(request)
    using, schedule, before = database(), slot.schedule, slot.before
    if before is not None:
        inherit(request, before, slot.given, wholly=True)
    request.check_complete('enqueue_once')
    differs = {name: value for name in SHARED | _WHEN if (value := getattr(request, name)) != getattr(schedule, name)}
    if schedule.suspended:
        differs['suspended'] = ''  # what prevented the last occurrence does not prevent this one
    if differs:
        _write(schedule, differs, using)
    if not slot.within or connections[using].vendor != 'mysql':
        return _fill(slot, request, late_job)
    # To insert a key that was there a moment ago, MariaDB locks the gap beside it, also for a transaction that has a
    # key in that gap: two callers would wait for each other.
    try:
        with waiting_at_most(0, using):
            return _fill(slot, request, late_job)
    except OperationalError as error:
        if not is_locked(error):
            raise
    return late.insert(LateSlot(slot.key, slot.given, slot.recurrence), request)


def _fill(slot: UniqueSlot, request: EnqueueRequest, late_job: Job | None) -> Job:
    using, schedule, before = database(), slot.schedule, slot.before
    if before is not None and not before.ended:
        return _follow(slot, request, before)
    job = new_job(request, job_id=late_job.job_id if late_job is not None else None)
    job.schedule, job.slot = schedule, schedule.pk
    if schedule.paused and job.due is not None:
        job.status, job.deliveries = JobStatusChoices.STATUS_SCHEDULED, 0
    if late_job is None:
        insert_job(job, request, using)
    else:
        late.replace(late_job, job, using)
    depend(job, request.dependencies, using)
    deliver_after_commit(job)
    return job


def _follow(slot: UniqueSlot, request: EnqueueRequest, before: Job) -> Job:
    """Update the job that waits, or make the successor of the one that runs."""
    if before.slot is not None and _update(slot, before, request):
        return before
    if _needs_no_other(before, request, slot.given, slot.moved):
        return before
    job = succeed(request, before, slot.schedule)
    if job.pk == before.pk:  # requeued at this moment: it is the one that waits
        _update(slot, job, request)
    return job


def _needs_no_other(running: Job, request: EnqueueRequest, given: Collection[str], moved: bool) -> bool:
    """Return whether the call changes nothing that an occurrence after the running one would show."""
    if request.dependencies:
        return False
    changes = changes_of(running, request, given)
    stopped = moved and not request.recurrence  # a running job stays the last one if it is to recur no more
    return changes.keys() <= {'interval'} if stopped else not moved and not changes


def _update(slot: UniqueSlot, job: Job, request: EnqueueRequest) -> bool:
    if 'schedule_at' in slot.given and request.scheduled is None:
        request.scheduled = request.recurrence.first(timezone.now())
    return update_waiting(job, slot.schedule, request, slot.given)


def _write(schedule: Schedule, values: dict[str, object], using: str) -> None:
    Schedule.objects.using(using).filter(pk=schedule.pk).update(**values)
    for name, value in values.items():
        setattr(schedule, name, value)


def _waiting_or_running(schedule: Schedule, using: str) -> Job | None:
    """Return the job that has the schedule's slot, else the one that runs; None if there is neither."""
    jobs = Job.objects.using(using)
    held = jobs.filter(slot=schedule.pk)
    if job := held.first():
        return job
    # Both by one statement: a job that is requeued, or claimed, between two looks would be seen by none of them.
    active = held.order_by().union(jobs.running().filter(schedule=schedule).order_by(), all=True)
    return max(active, key=lambda job: (job.slot is not None, job.pk), default=None)

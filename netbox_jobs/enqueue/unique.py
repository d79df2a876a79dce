"""`enqueue_once()`: the one waiting job of a runner and an instance, kept up to date under its schedule's lock."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connections, transaction
from django.utils import timezone

from ..broker import delivery
from ..choices import JobStatusChoices
from ..core import arguments, clock, runs
from ..lifecycle.dependencies import depend
from ..models.jobs import Job, database
from ..models.schedules import Schedule
from .insert import complete, new_job, new_schedule, succeed
from .request import EnqueueRequest

#: The fields that a schedule and its jobs share.
_SHARED = frozenset({'job_timeout', 'name', 'notifications', 'queue_name', 'user_id'})
#: When a schedule recurs.
_WHEN = frozenset({'cron', 'interval', 'time_zone'})


@dataclass
class Place:
    """Where `enqueue_once()` wants its new job: in which schedule, and in place of or after which job.

    That one waits, runs now, or was the last of a chain that has stopped. What the call omits is as it had it.
    """

    key: str
    schedule: Schedule
    before: Job | None
    given: set[str]
    moved: bool

    def fill(self, call: EnqueueRequest) -> Job:
        """Insert the job of `enqueue_once()`, or update it, as the runner's own `enqueue()` wants it."""
        runs.place.set(None)  # what else this enqueue() makes goes elsewhere
        using = database()
        schedule = self.schedule
        if self.before is not None:
            complete(call, self.before, self.given, wholly=True)
        differs = {name: value for name in _SHARED | _WHEN if (value := getattr(call, name)) != getattr(schedule, name)}
        if schedule.suspended:
            differs['suspended'] = ''  # what stood in the way of the last occurrence is no reason against this one
        if differs:
            Schedule.objects.using(using).filter(pk=schedule.pk).update(**differs)
            for name, value in differs.items():
                setattr(schedule, name, value)
        if self.before is not None and not self.before.ended:
            if self.before.slot is not None and self._update(self.before, call):
                return self.before
            if not self.moved and not call.dependencies and not _changes(self.before, call, self.given):
                return self.before
            job = succeed(call, self.before, schedule)
            if job.pk == self.before.pk:  # given back in this very moment: it is the one that waits
                self._update(job, call)
            return job
        job = new_job(call)
        job.schedule, job.slot = schedule, schedule.pk
        if schedule.paused and job.due is not None:
            job.status, job.deliveries = JobStatusChoices.STATUS_SCHEDULED, 0
        job.save(using=using)
        depend(job, call.dependencies, using)
        delivery.deliver_after_commit(job)
        return job

    def _update(self, job: Job, call: EnqueueRequest) -> bool:
        if 'schedule_at' in self.given and call.scheduled is None:
            call.scheduled = call.recurrence.first(timezone.now())
        return _update_waiting(job, self.schedule, call, self.given)


def find_place(call: EnqueueRequest, given: set[str], *, final: bool = True) -> Job | Place:
    """The one waiting job of the call's runner and instance, brought up to date; or the place for a new one.

    Locks the schedule until the transaction ends. Jobs that `enqueue()` made are none of its business.

    Args:
        call: The call.
        given: Which fields the caller named; the others stay as they are.
        final: Whether the runner's own `enqueue()` would make no other call of it.
    """
    using = database()
    schedule = _lock_schedule(call, given, using)
    recurred = bool(schedule.recurrence)
    moved = bool(given & _WHEN) and schedule.recurrence != call.recurrence
    if moved:
        values = {name: getattr(call, name) for name in _WHEN}
        Schedule.objects.using(using).filter(pk=schedule.pk).update(**values)
        for name, value in values.items():
            setattr(schedule, name, value)
        if call.scheduled is None and call.cron:
            call.scheduled = call.recurrence.first(timezone.now())
            given = given | {'schedule_at'}
    for _ in range(_LOOKS):
        job = _waiting_or_running(schedule, using)
        if job is None or job.slot is None:
            break
        if job.status not in JobStatusChoices.WAITING_STATE_CHOICES:
            # Somebody has given it another status with a query of their own.
            Job.objects.using(using).filter(pk=job.pk).update(slot=None)
        elif not final and ('kwargs' in given or _changes(job, call, given)):
            break
        elif _update_waiting(job, schedule, call, given):
            return job
    if job is not None and not moved and final and not call.dependencies and not _changes(job, call, given):
        return job
    return Place(call.key, schedule, job or (schedule.last_job if recurred else None), given, moved)


#: How often to look again at a job that was claimed, given back or delivered anew between the look and the UPDATE.
_LOOKS = 5


def _waiting_or_running(schedule: Schedule, using: str) -> Job | None:
    """The job that has the schedule's slot, else the one that runs; None if there is neither."""
    jobs = Job.objects.using(using)
    held = jobs.filter(slot=schedule.pk)
    if job := held.first():
        return job
    # Both by one statement: a job that is given back, or claimed, between two looks would be seen by none of them.
    active = held.order_by().union(jobs.running().filter(schedule=schedule).order_by(), all=True)
    return max(active, key=lambda job: (job.slot is not None, job.pk), default=None)


def _lock_schedule(call: EnqueueRequest, given: set[str], using: str) -> Schedule:
    """The schedule of the call's key, updated with what was given, and locked until the transaction ends.

    When it recurs is not updated yet, so that the caller can tell whether that changes.
    """
    fields = {name: getattr(call, name) for name in sorted(given & _SHARED)}
    schedules = Schedule.objects.using(using)
    if not schedules.filter(key=call.key).update(**(fields or {'key': call.key})):
        # Nobody has it, or it is being inserted at this moment: one statement decides. (An INSERT that fails and
        # an UPDATE after it deadlock on MariaDB, where the failed INSERT leaves a shared lock behind.)
        by_key = ['key'] if connections[using].features.supports_update_conflicts_with_target else None
        schedules.bulk_create(
            [new_schedule(call, call.key)],
            update_conflicts=True,
            unique_fields=by_key,
            update_fields=sorted(fields) or ['key'],
        )
    return schedules.select_for_update().get(key=call.key)  # as it is now, whatever this transaction saw first


def _changes(job: Job, call: EnqueueRequest, given: set[str]) -> dict[str, Any]:
    """What the caller named and the row has otherwise."""
    changes = {name: getattr(call, name) for name in given & (_SHARED | {'interval'})}
    if 'retry' in given:
        changes['retry_policy'] = call.retry
    if 'schedule_at' in given:
        changes['scheduled'] = call.scheduled
    if call.options:
        changes['options'] = job.options | call.options
    changes = {name: value for name, value in changes.items() if getattr(job, name) != value}
    if 'kwargs' in given:
        stored = arguments.encode(call.kwargs)
        if stored.payload != bytes(job.arguments) or stored.format != job.arguments_format:
            changes |= {
                'arguments': stored.payload,
                'arguments_format': stored.format,
                'arguments_shown': stored.shown,
                'arguments_signature': stored.signature(job.job_id, job.runner),
            }
    return changes


def _depends_on(job: Job, job_ids: list[UUID]) -> bool:
    return set(job.dependencies.using(job._state.db).values_list('job_id', flat=True)) == set(job_ids)


def _update_waiting(job: Job, schedule: Schedule, call: EnqueueRequest, given: set[str]) -> bool:
    """Bring a waiting job up to date; False if it has been claimed in the meantime."""
    changes = _changes(job, call, given)
    waits_for_others = bool(call.dependencies) and not _depends_on(job, call.dependencies)
    if not changes and not waits_for_others:
        return True
    queue, delivered = job.queue_name, job.delivery_id
    # RQ was told of the time limit, too.
    delivered_anew = bool(changes.keys() & {'job_timeout', 'options', 'queue_name'}) and job.due is not None
    redeliver = delivered_anew and job.status == JobStatusChoices.STATUS_PENDING
    if 'scheduled' in changes and job.due is not None and call.scheduled is not None:
        due = clock.to_ms(call.scheduled)
        if due > clock.now_ms() or schedule.paused:
            changes |= {'status': JobStatusChoices.STATUS_SCHEDULED, 'due': due}
            redeliver = False
        else:
            redeliver = True
    if waits_for_others:
        changes |= {'status': JobStatusChoices.STATUS_PENDING, 'due': None, 'deliveries': job.deliveries}
        redeliver = False
    elif redeliver and job.follows_enqueued():  # recovery hands it over when that has ended
        changes |= {'status': JobStatusChoices.STATUS_SCHEDULED, 'due': clock.now_ms()}
        redeliver = False
    if redeliver:
        changes |= {
            'status': JobStatusChoices.STATUS_PENDING,
            'due': clock.now_ms(),
            'deliveries': job.deliveries + 1,
        }
    rows = Job.objects.using(job._state.db).filter(pk=job.pk, slot=job.slot, deliveries=job.deliveries)
    if not rows.update(**changes):
        return False
    had_delivery = job.status == JobStatusChoices.STATUS_PENDING
    for name, value in changes.items():
        setattr(job, name, value)
    if waits_for_others:
        depend(job, call.dependencies, job._state.db or database())
    if had_delivery and (redeliver or waits_for_others or job.status == JobStatusChoices.STATUS_SCHEDULED):
        transaction.on_commit(lambda: delivery.withdraw(queue, [delivered]), using=job._state.db, robust=True)
    if redeliver:
        delivery.deliver_after_commit(job)
    return True

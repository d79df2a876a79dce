"""From a checked call to rows: insert a job, keep a schedule's one waiting job, run one here and now."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import IntegrityError, connections, transaction
from django.utils import timezone

from .. import arguments, calls, clock, context, delivery
from ..calls import Call
from ..choices import JobStatusChoices
from . import transitions
from .jobs import Job
from .schedules import Schedule


def check(func: Any, **given: Any) -> Call:
    """Check one call; see `calls.check()`. Looks up which of its dependencies are jobs of ours."""
    alias = transitions.database()
    call = calls.check(func, alias=alias, **given)
    if call.dependencies:
        rows = Job.objects.using(alias).filter(job_id__in=call.dependencies)
        ours = set(rows.values_list('job_id', flat=True))
        theirs = [str(job_id) for job_id in call.dependencies if job_id not in ours]
        if theirs:
            call.options['depends_on'] = [*call.options.get('depends_on', []), *theirs]
        call.dependencies = [job_id for job_id in call.dependencies if job_id in ours]
    return call


def identify_instance(instance: Any) -> tuple[Any, str | None, str]:
    """By what rows know the object that they are about: content type, primary key, and database if another."""
    return calls.identify_instance(instance, transitions.database())


def enqueue(call: Call) -> Job:
    """Insert the job of a call; deliver it after the commit if it is due."""
    if (place := context.place.get()) is not None and place.key == call.key:
        return _fill(place, call)
    if call.interval is not None and (predecessor := _being_succeeded(call)):
        return succeed(call, predecessor)
    using = transitions.database()
    job = _new_job(call)
    if call.interval is None and not call.dependencies:
        job.save(using=using)
    else:
        with transaction.atomic(using=using):
            if call.interval is not None:
                job.schedule = _new_schedule(call, job.job_id.hex)
                job.schedule.save(using=using)
                job.slot = job.schedule.pk
            job.save(using=using)
            _depend(job, call.dependencies, using)
    _deliver_after_commit(job)
    return job


@dataclass
class Place:
    """Where `enqueue_once()` wants its new job: in which schedule, and after which job that runs now."""

    key: str
    schedule: Schedule
    running: Job | None


def find_place(call: Call, given: set[str]) -> Job | Place:
    """The one waiting job of the call's runner and instance, brought up to date; or the place for a new one.

    Locks the schedule until the transaction ends. Jobs that `enqueue()` made are none of its business.

    Args:
        call: The call.
        given: Which fields the caller named; the others stay as they are.
    """
    using = transitions.database()
    schedule = _lock_schedule(call, given, using)
    job = Job.objects.using(using).filter(slot=schedule.pk).first()
    if job is not None and _update_waiting(job, call, given):
        return job
    running = Job.objects.using(using).running().filter(schedule=schedule).order_by('-pk').first()
    if running is not None and not _changes(running, call, given):
        return running
    return Place(call.key, schedule, running)


def _fill(place: Place, call: Call) -> Job:
    """Insert the job of `enqueue_once()`, as the runner's own `enqueue()` wants it."""
    context.place.set(None)  # what else this enqueue() makes goes elsewhere
    using = transitions.database()
    schedule = place.schedule
    differs = {name: value for name in _IN_SCHEDULE if (value := getattr(call, name)) != getattr(schedule, name)}
    if differs:
        Schedule.objects.using(using).filter(pk=schedule.pk).update(**differs)
    if place.running is not None:
        return succeed(call, place.running, schedule)
    job = _new_job(call)
    job.schedule, job.slot = schedule, schedule.pk
    job.save(using=using)
    _depend(job, call.dependencies, using)
    _deliver_after_commit(job)
    return job


def succeed(call: Call, predecessor: Job, schedule: Schedule | None = None) -> Job:
    """The one successor of a job: made now, or found if it was made before."""
    using = predecessor._state.db or transitions.database()
    jobs = Job.objects.using(using)
    if found := jobs.filter(predecessor_id=predecessor.pk).first():
        return found
    if predecessor.schedule_id is not None and schedule is None:
        schedule = Schedule.objects.using(using).filter(pk=predecessor.schedule_id).first()
        if schedule is None:
            return predecessor  # its schedule has been ended: nothing follows, whoever asks
    try:
        with transaction.atomic(using=using):
            if schedule is None:
                schedule = _new_schedule(call, predecessor.job_id.hex)
                schedule.save(using=using)
                jobs.filter(pk=predecessor.pk).update(schedule=schedule)
                predecessor.schedule = schedule
            if call.scheduled is None and call.interval is not None:
                call.scheduled = predecessor.next_time(call.interval)
            job = _new_job(call)
            job.schedule, job.slot, job.predecessor_id = schedule, schedule.pk, predecessor.pk
            job.save(using=using)
    except IntegrityError:
        # Somebody else has made it at the same moment; the unique constraints allow for one.
        found = jobs.filter(predecessor_id=predecessor.pk).first()
        return found or jobs.get(slot=schedule.pk if schedule else None)
    _deliver_after_commit(job)
    return job


def run_now(call: Call) -> Job:
    """Insert the job of a call as running in this process, and run it before returning."""
    using = transitions.database()
    job = _new_job(call, immediate=True)
    job.status, job.started = JobStatusChoices.STATUS_RUNNING, timezone.now()
    job.worker, job.attempt, job.deliveries = context.process_token(), 1, 0
    with transaction.atomic(using=using):
        if call.interval is not None:
            job.schedule = _new_schedule(call, job.job_id.hex)
            job.schedule.save(using=using)
        job.save(using=using)
    job._kwargs = call.kwargs
    transitions.hold_new(job)
    delivery.run_here(job, call.target, call.kwargs)
    return job


def release_dependents(job: Job) -> None:
    """Deliver, or end, the jobs that waited for this one; those that wait for others too stay."""
    using = job._state.db
    gated = Job.objects.using(using).filter(dependencies=job.pk, status=JobStatusChoices.STATUS_PENDING, due=None)
    for dependent in gated:
        settle_dependent(dependent)


def settle_dependent(dependent: Job) -> None:
    """Look at what a job depends on: all ended well, and it is due; one ended otherwise, and it is errored."""
    using = dependent._state.db
    states = list(dependent.dependencies.using(using).values_list('status', 'name', 'pk'))
    if any(status not in JobStatusChoices.TERMINAL_STATE_CHOICES for status, _, _ in states):
        return
    broken = [row for row in states if row[0] != JobStatusChoices.STATUS_COMPLETED]
    if broken and not dependent.options.get('allow_failure'):
        status, name, pk = broken[0]
        dependent.terminate(
            JobStatusChoices.STATUS_ERRORED, error=f'It depends on job {pk} ({name}), which ended as {status}.'
        )
        return
    due = dependent.scheduled is not None and clock.to_ms(dependent.scheduled) > clock.now_ms()
    values = {
        'status': JobStatusChoices.STATUS_SCHEDULED if due else JobStatusChoices.STATUS_PENDING,
        'due': clock.to_ms(dependent.scheduled) if due and dependent.scheduled else clock.now_ms(),
        'deliveries': 0 if due else 1,
    }
    rows = Job.objects.using(using).filter(pk=dependent.pk, status=JobStatusChoices.STATUS_PENDING, due=None)
    if rows.update(**values):
        for name, value in values.items():
            setattr(dependent, name, value)
        _deliver_after_commit(dependent)


# Rows


def _new_job(call: Call, *, immediate: bool = False) -> Job:
    job = Job(
        object_type=call.object_type,
        object_id=call.object_id,
        object_db=call.object_db,
        name=call.name,
        runner=call.runner,
        scheduled=call.scheduled,
        interval=call.interval,
        user_id=call.user_id,
        queue_name=call.queue_name,
        notifications=call.notifications,
        job_timeout=call.job_timeout,
        options=call.options,
    )
    later = call.scheduled is not None and clock.to_ms(call.scheduled) > clock.now_ms()
    if call.dependencies:
        job.due = None
    elif later and call.scheduled is not None:
        job.status, job.due = JobStatusChoices.STATUS_SCHEDULED, clock.to_ms(call.scheduled)
    else:
        job.due, job.deliveries = clock.now_ms(), 1
    _store_arguments(job, call.kwargs, required=not immediate or call.interval is not None)
    return job


def _store_arguments(job: Job, kwargs: dict[str, Any], *, required: bool = True) -> None:
    try:
        stored = arguments.encode(kwargs)
    except TypeError:
        if required:
            raise
        # They never leave this process, so it matters to nobody that they cannot be stored.
        job.arguments_shown = arguments.show(kwargs)
        return
    job.arguments, job.arguments_format, job.arguments_shown = stored.payload, stored.format, stored.shown
    job.arguments_signature = stored.signature(job.job_id, job.runner)


def _new_schedule(call: Call, key: str) -> Schedule:
    return Schedule(
        key=key,
        runner=call.runner,
        name=call.name,
        object_type=call.object_type,
        object_id=call.object_id,
        object_db=call.object_db,
        interval=call.interval,
        queue_name=call.queue_name,
        user_id=call.user_id,
        notifications=call.notifications,
        job_timeout=call.job_timeout,
    )


def _lock_schedule(call: Call, given: set[str], using: str) -> Schedule:
    """The schedule of the call's key, updated with what was given, and locked until the transaction ends."""
    fields = {name: getattr(call, name) for name in ('queue_name', *sorted(given & _IN_SCHEDULE))}
    if 'queue_name' not in given:
        del fields['queue_name']
    schedules = Schedule.objects.using(using)
    if not schedules.filter(key=call.key).update(**(fields or {'key': call.key})):
        # Nobody has it, or it is being inserted at this moment: one statement decides. (An INSERT that fails and
        # an UPDATE after it deadlock on MariaDB, where the failed INSERT leaves a shared lock behind.)
        by_key = ['key'] if connections[using].features.supports_update_conflicts_with_target else None
        schedules.bulk_create(
            [_new_schedule(call, call.key)],
            update_conflicts=True,
            unique_fields=by_key,
            update_fields=sorted(fields) or ['key'],
        )
    return schedules.get(key=call.key)


#: The fields that a schedule and its jobs share.
_IN_SCHEDULE = frozenset({'interval', 'job_timeout', 'name', 'notifications', 'queue_name', 'user_id'})


def _changes(job: Job, call: Call, given: set[str]) -> dict[str, Any]:
    """What the caller named and the row has otherwise."""
    changes = {name: getattr(call, name) for name in given & (_IN_SCHEDULE | {'options'})}
    if 'schedule_at' in given:
        changes['scheduled'] = call.scheduled
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


def _update_waiting(job: Job, call: Call, given: set[str]) -> bool:
    """Bring a waiting job up to date; False if it has been claimed in the meantime."""
    changes = _changes(job, call, given)
    if not changes:
        return True
    queue, delivered = job.queue_name, job.delivery_id
    redeliver = 'queue_name' in changes and job.status == JobStatusChoices.STATUS_PENDING
    if 'scheduled' in changes and job.due is not None and call.scheduled is not None:
        due = clock.to_ms(call.scheduled)
        if due > clock.now_ms():
            changes |= {'status': JobStatusChoices.STATUS_SCHEDULED, 'due': due}
            redeliver = False
        else:
            redeliver = True
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
    if had_delivery and (redeliver or job.status == JobStatusChoices.STATUS_SCHEDULED):
        transaction.on_commit(lambda: delivery.withdraw(queue, [delivered]), using=job._state.db, robust=True)
    if redeliver:
        _deliver_after_commit(job)
    return True


def _depend(job: Job, job_ids: list[UUID], using: str) -> None:
    if not job_ids:
        return
    awaited = Job.objects.using(using).filter(job_id__in=job_ids)
    awaited.update(awaited=True)
    job.dependencies.set(awaited)
    # One of them may have ended before our link to it was visible to it.
    transaction.on_commit(lambda: settle_dependent(job), using=using, robust=True)


def _being_succeeded(call: Call) -> Job | None:
    """The periodic job that is being handled or ended here, if the call is for its runner and its instance."""
    job = context.ending.get()
    if job is None:
        run = context.current_run()
        job = run.job if run is not None else None
    if job is None or (job.interval is None and job is not context.ending.get()):
        return None
    same = (job.runner, job.object_type_id, job.object_id) == (
        call.runner,
        call.object_type.pk if call.object_type else None,
        call.object_id,
    )
    return job if same else None


def _deliver_after_commit(job: Job) -> None:
    if job.status == JobStatusChoices.STATUS_PENDING and job.due is not None:
        transaction.on_commit(lambda: delivery.deliver(job), using=job._state.db, robust=True)

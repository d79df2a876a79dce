"""From a checked call to rows: insert a job, keep a schedule's one waiting job, run one here and now."""

from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from django.db import IntegrityError, transaction
from django.utils import timezone

from .. import lifecycle
from ..broker import delivery
from ..choices import JobStatusChoices
from ..core import arguments, clock, identity, import_path, queues, runs
from ..exceptions import ArgumentsRefused, InstanceGone
from ..lifecycle.dependencies import depend
from ..models.jobs import Job, database
from ..models.schedules import Schedule
from . import request
from .request import EnqueueRequest


def check(func: Any, **given: Any) -> EnqueueRequest:
    """Check one call; see `calls.check()`. Looks up which of its dependencies are jobs of ours."""
    alias = database()
    call = request.check(func, alias=alias, **given)
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
    return request.identify_instance(instance, database())


def enqueue(call: EnqueueRequest) -> Job:
    """Insert the job of a call; deliver it after the commit if it is due."""
    if (place := runs.place.get()) is not None and place.key == call.key:
        return place.fill(call)
    if call.recurrence and (predecessor := _being_succeeded(call)):
        return succeed(call, predecessor)
    if (model := runs.model.get()) is not None and _is_again(call, model):
        complete(call, model, None)
        queues.check(call.queue_name)
    using = database()
    job = new_job(call)
    if not call.recurrence and not call.dependencies:
        job.save(using=using)
    else:
        with transaction.atomic(using=using):
            if call.recurrence:
                job.schedule = new_schedule(call, job.job_id.hex)
                job.schedule.save(using=using)
                job.slot = job.schedule.pk
            job.save(using=using)
            depend(job, call.dependencies, using)
    delivery.deliver_after_commit(job)
    return job


def complete(call: EnqueueRequest, job: Job, named: Collection[str] | None, *, wholly: bool = False) -> None:
    """Fill in what a call omits, as a job of the same runner and instance has it.

    Args:
        call: The call.
        job: The job.
        named: The fields that the call is to keep; None if the job's count, whatever the runner's `enqueue()` has
            made of the call.
        wholly: Also for whom it is done, and with which arguments.

    Raises:
        InstanceGone: An object among the arguments of a job that runs no longer exists.
    """
    options = {name: value for name, value in job.options.items() if name not in ('depends_on', 'allow_failure')}
    call.options = call.options | options if named is None else options | call.options
    fields = {'job_timeout': 'job_timeout', 'retry': 'retry_policy'}
    if job.queue_name:  # a row made by hand need not have one
        fields['queue_name'] = 'queue_name'
    if wholly:
        fields |= {name: name for name in ('name', 'notifications', 'user_id')}
        if 'kwargs' not in (named or ()):
            # Of a chain that has stopped, they may be what stopped it; those of a job that waits are kept anyway.
            with suppress(ArgumentsRefused, *((InstanceGone,) if job.ended or job.slot is not None else ())):
                call.kwargs = job.get_arguments()
    for name in fields.keys() - set(named or ()):
        setattr(call, name, getattr(job, fields[name]))


def succeed(call: EnqueueRequest, predecessor: Job, schedule: Schedule | None = None) -> Job:
    """The one successor of a job: made now, or found if it was made before."""
    using = predecessor._state.db or database()
    jobs = Job.objects.using(using)
    if found := jobs.filter(predecessor_id=predecessor.pk).first():
        return found
    if predecessor.schedule_id is not None and schedule is None:
        schedule = Schedule.objects.using(using).filter(pk=predecessor.schedule_id).first()
        if schedule is None:
            return predecessor  # its schedule has been ended: nothing follows, whoever asks
    complete(call, predecessor, None if runs.ending.get() is predecessor else call.given)
    try:
        with transaction.atomic(using=using):
            if schedule is None:
                schedule = new_schedule(call, predecessor.job_id.hex)
                schedule.save(using=using)
                jobs.filter(pk=predecessor.pk).update(schedule=schedule)
                predecessor.schedule = schedule
            elif call.recurrence and call.recurrence not in (schedule.recurrence, predecessor.recurrence_at_claim):
                when = {'interval': call.interval, 'cron': call.cron, 'time_zone': call.time_zone}
                Schedule.objects.using(using).filter(pk=schedule.pk).update(**when)
            if call.scheduled is None and call.recurrence:
                call.scheduled = predecessor.next_time(call.recurrence)
            job = new_job(call)
            job.schedule, job.slot, job.predecessor_id = schedule, schedule.pk, predecessor.pk
            if not predecessor.ended and not call.dependencies:
                # Handed over when that has ended, so that two occurrences never run side by side.
                job.status, job.deliveries = JobStatusChoices.STATUS_SCHEDULED, 0
            job.save(using=using)
            depend(job, call.dependencies, using)
    except IntegrityError:
        # Somebody else has made it at the same moment; the unique constraints allow for one.
        found = jobs.filter(predecessor_id=predecessor.pk).first()
        return found or jobs.get(slot=schedule.pk if schedule else None)
    delivery.deliver_after_commit(job)
    return job


def run_now(call: EnqueueRequest) -> Job:
    """Insert the job of a call as running in this process, and run it before returning."""
    using = database()
    job = new_job(call, immediate=True)
    job.status, job.started = JobStatusChoices.STATUS_RUNNING, timezone.now()
    job.worker, job.attempt, job.deliveries = identity.process_token(), 1, 0
    with transaction.atomic(using=using):
        if call.recurrence:
            job.schedule = new_schedule(call, job.job_id.hex)
            job.schedule.save(using=using)
        job.save(using=using)
    job._decoded = dict(call.kwargs)
    lifecycle.hold_new(job)
    delivery.run_here(job, call.target, call.kwargs)
    return job


def again(job: Job) -> Job:
    """Enqueue what an ended job was, once more; see `Job.retry()`."""
    runner = import_path.resolve(job.runner)
    enqueue_ = runner.enqueue if getattr(runner, 'is_job_runner', False) else partial(Job.enqueue, runner)
    if job.object_id is not None and job.object is None:
        raise InstanceGone(f'The object of job {job.pk} ({job.name}) no longer exists.')
    using = database()
    with transaction.atomic(using=using):
        with runs.taking_from(job):
            new: Job = enqueue_(
                instance=job.object,
                name=job.name,
                user=job.user,
                notifications=job.notifications,
                **job.get_arguments(),
            )
        Job.objects.using(using).filter(pk=new.pk).update(retry_of=job)
        new.retry_of = job
    return new


def adopt(job: Job, path: str, kwargs: dict[str, Any]) -> None:
    """Make a row that was made by hand one of this runner's, with these arguments, so that it can recur."""
    if job.runner:
        return
    values = {'runner': path, **_stored(job.job_id, path, kwargs, required=False)}
    for name, value in values.items():
        setattr(job, name, value)
    Job.objects.using(job._state.db).filter(pk=job.pk, runner='').update(**values)


# Rows


def new_job(call: EnqueueRequest, *, immediate: bool = False) -> Job:
    """The unsaved row of a call."""
    # By position, which takes a fraction of the time that it takes by name.
    row = [default() if callable(default) else default for default in _DEFAULTS]
    for name, value in _values(call, immediate).items():
        row[_PLACES[name]] = value
    job = Job(*row)
    if call.object_type is not None:
        job.object_type = call.object_type  # the object itself, so that nobody looks it up
    return job


_FIELDS: Any = Job._meta.concrete_fields
_PLACES = {field.attname: place for place, field in enumerate(_FIELDS)}
_DEFAULTS = [field.default if field.has_default() else field.get_default() for field in _FIELDS]


def _values(call: EnqueueRequest, immediate: bool) -> dict[str, Any]:
    """What the row of a call says that is not a default."""
    job_id = uuid4()
    values: dict[str, Any] = {
        'job_id': job_id,
        'object_type_id': call.object_type.pk if call.object_type is not None else None,
        'object_id': call.object_id,
        'object_db': call.object_db,
        'name': call.name,
        'runner': call.runner,
        'interval': call.interval,
        'user_id': call.user_id,
        'queue_name': call.queue_name,
        'notifications': call.notifications,
        'job_timeout': call.job_timeout,
        'options': call.options,
        'retry_policy': call.retry,
    }
    if call.scheduled is None and not immediate:
        call.scheduled = call.recurrence.first(timezone.now())
    values['scheduled'] = call.scheduled
    now = clock.now_ms()
    due = now if call.scheduled is None else clock.to_ms(call.scheduled)
    if call.dependencies:
        values['due'] = None
    elif due > now:
        values |= {'status': JobStatusChoices.STATUS_SCHEDULED, 'due': due}
    else:
        values |= {'due': now, 'deliveries': 1}
    return values | _stored(job_id, call.runner, call.kwargs, required=not immediate or bool(call.recurrence))


def _stored(job_id: UUID, path: str, kwargs: dict[str, Any], *, required: bool = True) -> dict[str, Any]:
    """What a row says of the arguments."""
    try:
        stored = arguments.encode(kwargs)
    except TypeError:
        if required:
            raise
        # They never leave this process, so it matters to nobody that they cannot be stored.
        return {'arguments_shown': arguments.show(kwargs)}
    return {
        'arguments': stored.payload,
        'arguments_format': stored.format,
        'arguments_shown': stored.shown,
        'arguments_signature': stored.signature(job_id, path),
    }


def new_schedule(call: EnqueueRequest, key: str) -> Schedule:
    """The unsaved schedule of a call."""
    return Schedule(
        key=key,
        runner=call.runner,
        name=call.name,
        object_type=call.object_type,
        object_id=call.object_id,
        object_db=call.object_db,
        interval=call.interval,
        cron=call.cron,
        time_zone=call.time_zone,
        queue_name=call.queue_name,
        user_id=call.user_id,
        notifications=call.notifications,
        job_timeout=call.job_timeout,
    )


def _being_succeeded(call: EnqueueRequest) -> Job | None:
    """The periodic job that is being handled or ended here, if the call is for its runner and its instance."""
    job = runs.ending.get()
    if job is None:
        run = runs.current_run()
        job = run.job if run is not None else None
    if job is None or (job.schedule_id is None and job.interval is None and job is not runs.ending.get()):
        return None
    return job if _is_about_the_same(call, job) else None


def _is_again(call: EnqueueRequest, job: Job) -> bool:
    """Whether the call is for what the job was; its runner may be known by another path by now."""
    return _is_about_the_same(replace(call, runner=job.runner), job) and call.runner in (
        job.runner,
        import_path.path_of(import_path.resolve(job.runner)),
    )


def _is_about_the_same(call: EnqueueRequest, job: Job) -> bool:
    object_type_id = call.object_type.pk if call.object_type else None
    theirs = (job.runner, job.object_type_id, job.object_id, job.object_db)
    return theirs == (call.runner, object_type_id, call.object_id, call.object_db)

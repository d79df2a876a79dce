"""The next occurrence of a periodic job: exactly one, however the job ended."""

import logging
from typing import Any

from django.db import IntegrityError, OperationalError, transaction
from django.db.models import F
from django.utils import timezone

from ..choices import JobStatusChoices
from ..core import arguments, clock, contexts, import_path, limits, runs, transactions
from ..core.options import as_keywords
from ..core.recurrence import Recurrence, check_cron
from ..core.text import storable_text
from ..exceptions import ArgumentsRefused, ContextNotRestored, ContextUnknown, InstanceGone, RunnerNotFound
from ..models import Job, PendingChange, Schedule, database
from .changed import ARGUMENTS, read_arguments
from .limits import is_limited
from .locks import ScheduleLocked, lock_schedule
from .reservation import SuccessorOf, reserved

logger = logging.getLogger('netbox_jobs')

#: The name among the values of a `PendingChange` that says whether a run has ended which its schedule has not counted.
ENDED = 'ended'


def make_successor(job: Job, schedule: Schedule | None, changed: list[str] | None = None) -> Job | None:
    """Make the successor of a job that has just been ended, in the transaction that ended it.

    The runner's own `enqueue()` makes it, which a plugin may override. If that fails, it is rolled back and logged, and
    the row is copied instead. Arguments that do not carry our signature are not passed on: the schedule is suspended,
    and says why.

    Args:
        job: The ended job.
        schedule: Its schedule, locked; None if it has none, or if that was ended in the meantime.
        changed: What its run has kept of its arguments; see `changed.py`.
    """
    if job.schedule_id is not None and schedule is None:
        return None
    if schedule is not None and schedule.suspended:
        return None
    recurrence = _recurrence(job, schedule)
    using = job._state.db
    jobs = Job.objects.using(using)
    if not recurrence or not job.runner:  # a row made by hand, which no worker could run
        return None
    if found := jobs.filter(predecessor_id=job.pk).first():
        return found
    if schedule is not None and (waiting := jobs.filter(slot=schedule.pk).first()):
        return waiting
    try:
        _check(recurrence)
        return _within_context(job, recurrence, changed) or _copy(job, recurrence, schedule)
    except (ArgumentsRefused, _Unreadable) as error:
        logger.error('Job %s (%s) has no successor: %s', job.pk, job.name, error)
        if schedule is not None:
            schedule.suspended = storable_text(str(error))
            schedule.save(using=using, update_fields=['suspended'])
        return None


class _Unreadable(Exception):
    """A recurrence was changed outside the app to one that cannot be read."""


def _check(recurrence: Recurrence) -> None:
    if recurrence.cron:
        try:
            check_cron(recurrence.cron, recurrence.time_zone)
        except ValueError as error:
            raise _Unreadable(str(error)) from error


def continue_chain(schedule: Schedule, using: str, ended: Job | None = None) -> Job | None:
    """Make the next occurrence of a chain that has stopped, after the one that ended last, if there is none.

    Args:
        schedule: Its schedule, locked.
        using: The alias of the database that holds the jobs.
        ended: A job of it whose end has left changes of the schedule; that which ended last may be another.
    """
    changed = None if ended is None else take_over(schedule, ended, using)
    jobs = Job.objects.using(using).filter(schedule=schedule)
    if jobs.filter(status__in=JobStatusChoices.ENQUEUED_STATE_CHOICES).exists():
        return None
    last = schedule.last_job
    if last is None:
        return None
    if ended is None or last.pk != ended.pk:
        changed = take_over(schedule, last, using)
    return make_successor(last, schedule, changed) if schedule.recurrence else None


def take_over(schedule: Schedule, job: Job, using: str) -> list[str] | None:
    """Write to a schedule what the end of a job could not, as another transaction kept it locked.

    Args:
        schedule: The schedule, locked. What has changed its recurrence since is the later change, and stays.
        job: The job that has ended.
        using: The alias of the database that holds the jobs.

    Returns:
        What its run has kept of its arguments, for the successor.
    """
    changes = PendingChange.objects.using(using).filter(job_id=job.pk)
    if (change := changes.first()) is None:
        return None
    left = change.values
    if 'interval_at_claim' in left and schedule.recurrence == Recurrence(left['interval_at_claim']):
        schedule.interval = job.interval
    schedule.suspended = left.get('suspended') or schedule.suspended
    values = {'interval': schedule.interval, 'suspended': schedule.suspended}
    Schedule.objects.using(using).filter(pk=schedule.pk).update(runs=F('runs') + int(left.get(ENDED, False)), **values)
    changes.delete()
    kept: list[str] | None = left.get(ARGUMENTS)
    return kept


def _recurrence(job: Job, schedule: Schedule | None) -> Recurrence:
    """Return the interval that `run()` has set on its job, else what the schedule says."""
    if schedule is None:
        return Recurrence(job.interval)
    if job.claim is not None and job.claim.since is not None and job.interval != job.claim.interval:
        schedule.interval, schedule.cron, schedule.time_zone = job.interval, '', ''
        schedule.save(using=job._state.db, update_fields=['interval', 'cron', 'time_zone'])
    return schedule.recurrence


def _within_context(job: Job, recurrence: Recurrence, changed: list[str] | None) -> Job | None:
    """Let its runner make it in what the job was enqueued in; return None if that, or its context, failed."""
    try:
        with contexts.restored(job):
            return _through_enqueue(job, recurrence, changed)
    except (ContextNotRestored, ContextUnknown) as error:
        logger.warning('Job %s (%s): the row of its successor is copied, as %s', job.pk, job.name, error)
        return None


def _through_enqueue(job: Job, recurrence: Recurrence, changed: list[str] | None) -> Job | None:
    """Let the runner's own `enqueue()` make it; return None if it did not, for whatever reason."""
    try:
        if job.object_id is not None and job.object is None:
            return None  # without its object, enqueue() would begin another chain; the row can be copied as it is
        kwargs = _arguments(job, changed)
        runner = import_path.resolve(job.runner)
        if not getattr(runner, 'is_job_runner', False):
            return None
        with transaction.atomic(using=job._state.db):
            with reserved(SuccessorOf(job)):
                runner.enqueue(
                    instance=job.object,
                    name=job.name,
                    user=job.user,
                    schedule_at=job.next_time(recurrence),
                    interval=recurrence.interval,
                    notifications=job.notifications,
                    **({'cron': recurrence.cron, 'timezone': recurrence.time_zone} if recurrence.cron else {}),
                    **as_keywords(kwargs),
                )
            if found := Job.objects.using(job._state.db).filter(predecessor_id=job.pk).first():
                return found
            raise LookupError(f'{job.runner}.enqueue() did not enqueue the next occurrence')
    except (ArgumentsRefused, InstanceGone, RunnerNotFound):
        pass  # the copy looks at the signature itself, and needs neither the arguments' objects nor the runner
    except Exception as error:
        if isinstance(error, OperationalError) and transactions.is_conflict(error):
            raise  # the transaction is over, with the end of the job: all of it is written again
        logger.exception(
            'Job %s (%s): its runner could not enqueue the successor; the row is copied instead.', job.pk, job.name
        )
    return None


def _arguments(job: Job, changed: list[str] | None) -> dict[str, Any]:
    run = runs.run_of(job)
    if run is not None and run.changed_arguments is not None:
        return dict(run.changed_arguments)
    return job.get_arguments() if changed is None else read_arguments(job, changed)


def _copy(job: Job, recurrence: Recurrence, schedule: Schedule | None) -> Job | None:
    """Copy the row as the next occurrence, with a signature of its own; return None if another one has its place."""
    payload, using = bytes(job.arguments), job._state.db
    context = contexts.signed_text(job.context)
    arguments.verify(job.arguments_format, payload, job.arguments_signature, job.job_id, job.runner, context)
    scheduled = job.next_time(recurrence)
    if schedule is None:
        shared = {name: getattr(job, name) for name in _COPIED & {field.attname for field in Schedule._meta.fields}}
        schedule = Schedule.objects.using(using).create(key=job.job_id.hex, interval=recurrence.interval, **shared)
    successor = Job(
        status=JobStatusChoices.STATUS_SCHEDULED,
        scheduled=scheduled,
        due=clock.to_ms(scheduled),
        created=timezone.now(),
        interval=recurrence.interval,
        schedule=schedule,
        slot=schedule.pk,
        predecessor_id=job.pk,
        held=is_limited(job),
        arguments=payload,
        **{name: getattr(job, name) for name in _COPIED},
    )
    stored = arguments.Stored(job.arguments_format, payload, job.arguments_shown)
    successor.arguments_signature = stored.signature(successor.job_id, successor.runner, context)
    try:
        with transaction.atomic(using=using):
            successor.save(using=using)
    except IntegrityError:
        # Another occurrence has it, or the slot: it may be claimed by now, and continues the chain when it ends.
        jobs = Job.objects.using(using)
        return jobs.filter(predecessor_id=job.pk).first() or jobs.filter(slot=schedule.pk).first()
    return successor


_COPIED = {
    'arguments_format', 'arguments_shown', 'context', 'job_timeout', 'name', 'notifications', 'object_db', 'object_id',
    'object_type_id', 'options', 'priority', 'queue_name', 'retry_policy', 'runner', 'tenant', 'user_id',
    *limits.COLUMNS,
}  # fmt: skip


def suspend(job: Job, reason: str) -> None:
    """Record on the job's schedule, if it has one, why the job has no successor."""
    using, reason = job._state.db or database(), storable_text(reason)
    with transaction.atomic(using=using):
        try:
            schedule = lock_schedule(job, using, wait=True)
        except ScheduleLocked:  # recovery records it
            PendingChange.leave(job, {'suspended': reason}, using)
            return
        if schedule is not None:
            schedule.suspended = reason
            schedule.save(update_fields=['suspended'])

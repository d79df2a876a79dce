"""A late job joins its schedule: it takes the place of the waiting job, or the job that has the place does its work."""

import logging
from typing import Any
from uuid import UUID

from ..choices import JobStatusChoices
from ..core import contexts, limits, transactions
from ..exceptions import ArgumentsRefused, ContextNotRestored, InstanceGone, RunnerNotFound
from ..lifecycle.dependencies import depend
from ..lifecycle.finish import finish
from ..lifecycle.locks import ScheduleLocked
from ..lifecycle.unlocked import unless_locked
from ..models import Job, PendingChange, Schedule, database, services
from . import schedule_lock
from .late import WHEN
from .request import EnqueueRequest
from .unique import fill, find_locked

logger = logging.getLogger('netbox_jobs')


@services.join_schedule.provide
def join_schedule(pk: int) -> None:
    """Have a late job join its schedule after the commit; recovery does it later if the schedule is still locked."""
    settle(pk, database())


def settle(pk: int, using: str) -> bool:
    """Have a late job join its schedule, in a transaction of its own.

    Args:
        pk: The primary key of the job.
        using: The alias of the database that holds the jobs.

    Returns:
        Whether it has joined; False if it waits no more, its schedule is still locked, or this code cannot read it.
    """
    try:
        return transactions.retried(lambda: _settle_unless_locked(pk, using), using)
    except (ScheduleLocked, RunnerNotFound):  # code that can read its arguments has enqueued it
        return False


def _settle_unless_locked(pk: int, using: str) -> bool:
    with unless_locked(using, f'What job {pk} is to change'):
        return _settle(pk, using)
    return False


def _settle(pk: int, using: str) -> bool:
    change = PendingChange.objects.using(using).filter(pk=pk).first()
    job = _late_job(pk, using) if change is not None else None
    if change is None or job is None:
        return False
    try:
        request = _request_of(job, change.values)
    except (ArgumentsRefused, ContextNotRestored, InstanceGone) as error:
        return _refuse(job, error, using)
    return join_all(schedule_lock.lock_without_waiting(request, using, patience=0), using) > 0


def join_all(schedule: Schedule, using: str) -> int:
    """Have the late jobs of a locked schedule join it, in the order of their calls; return how many have."""
    joined = 0
    for change in PendingChange.objects.using(using).filter(key=schedule.key).order_by('created', 'pk'):
        job = _late_job(change.pk, using)
        if job is None:
            continue
        try:
            _join(job, _request_of(job, change.values), schedule)
        except RunnerNotFound:  # other code has enqueued it, which can read it
            continue
        except (ArgumentsRefused, ContextNotRestored, InstanceGone) as error:
            _refuse(job, error, using)
        else:
            PendingChange.objects.using(using).filter(pk=change.pk).delete()
        joined += 1
    return joined


def _late_job(pk: int, using: str) -> Job | None:
    """Return a late job, locked; None if another process has it, or if it waits no more."""
    held = Job.objects.using(using).filter(pk=pk, status=JobStatusChoices.STATUS_SCHEDULED, due=None)
    job = held.select_for_update(skip_locked=True).first()
    if job is None and not held.exists():  # it was canceled or deleted; or it has joined, and has left another change
        PendingChange.objects.using(using).filter(pk=pk).exclude(key='').delete()
    return job


def _refuse(job: Job, error: Exception, using: str) -> bool:
    PendingChange.objects.using(using).filter(pk=job.pk).delete()
    return finish(job, JobStatusChoices.STATUS_ERRORED, str(error))


def _join(job: Job, request: EnqueueRequest, schedule: Schedule) -> None:
    using = job._state.db or database()
    schedule_lock.share(schedule, request, using)
    found = find_locked(request, schedule)
    if not isinstance(found, Job):
        if not request.given & set(WHEN):
            request.interval, request.cron, request.time_zone = schedule.interval, schedule.cron, schedule.time_zone
        found = fill(found, request, job)
    if found.pk != job.pk:
        _hand_over(job, found, using)


def _hand_over(job: Job, other: Job, using: str) -> None:
    """End a late job whose work another one does; what depends on it depends on that from now on."""
    if job.awaited:
        dependents = list(job.dependents.using(using).waiting())
        for dependent in dependents:
            dependent.dependencies.remove(job)
            depend(
                dependent, [other.job_id, *dependent.dependencies.using(using).values_list('job_id', flat=True)], using
            )
        job.awaited = False
    error = f'Job {other.pk} does its work: both are of one schedule, and were enqueued at the same moment.'
    finish(job, JobStatusChoices.STATUS_CANCELED, error, only=JobStatusChoices.WAITING_STATE_CHOICES)


def _request_of(job: Job, values: dict[str, Any]) -> EnqueueRequest:
    """Return the request that a late job was stored for."""
    given = frozenset(values['given'])
    with contexts.restored(job):
        kwargs = job.get_arguments()
    return EnqueueRequest(
        target=lambda: None,
        runner=job.runner,
        name=job.name,
        queue_name=job.queue_name,
        user_id=job.user_id,
        object_type=job.object_type,
        object_id=job.object_id,
        object_db=job.object_db,
        scheduled=job.scheduled if 'schedule_at' in given else None,
        notifications=job.notifications,
        job_timeout=job.job_timeout,
        options=job.options,
        retry=job.retry_policy,
        dependencies=[UUID(job_id) for job_id in values['dependencies']],
        kwargs=kwargs,
        context=job.context,
        tenant=job.tenant,
        priority=job.priority,
        given=given,
        kept_limit={name: getattr(job, name) for name in limits.COLUMNS if getattr(job, name)},
        **{name: values[name] for name in WHEN},
    )

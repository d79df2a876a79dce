"""A late job joins its schedule: it takes the place of the waiting job, or the job that has the place does its work."""

import logging
from typing import Any
from uuid import UUID

from ..choices import JobStatusChoices
from ..core import contexts, transactions
from ..exceptions import ArgumentsRefused, ContextNotRestored, InstanceGone
from ..lifecycle.dependencies import depend
from ..lifecycle.finish import finish
from ..lifecycle.locks import ScheduleLocked
from ..models import Job, PendingChange, database, services
from . import schedule_lock
from .late import WHEN
from .request import EnqueueRequest
from .unique import fill, find_locked

logger = logging.getLogger('netbox_jobs')

#: What the values of a `PendingChange` have if its job is late.
KEY = 'key'


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
        Whether it has joined; False if it waits no more, or its schedule is still locked.
    """
    try:
        return transactions.retried(lambda: _settle(pk, using), using)
    except ScheduleLocked:
        return False


def _settle(pk: int, using: str) -> bool:
    changes = PendingChange.objects.using(using).filter(pk=pk)
    held = Job.objects.using(using).filter(pk=pk, status=JobStatusChoices.STATUS_SCHEDULED, due=None)
    job = held.select_for_update(skip_locked=True).first()
    change = changes.first()
    if change is None or (job is None and held.exists()):
        return False
    if job is None:  # it was canceled or deleted
        changes.delete()
        return False
    try:
        with contexts.restored(job):
            request = _request_of(job, change.values)
    except (ArgumentsRefused, ContextNotRestored, InstanceGone) as error:
        changes.delete()
        return finish(job, JobStatusChoices.STATUS_ERRORED, str(error))
    schedule = schedule_lock.lock_without_waiting(request, using, patience=0)
    found = find_locked(request, schedule)
    if not isinstance(found, Job):
        if not request.given & set(WHEN):
            request.interval, request.cron, request.time_zone = schedule.interval, schedule.cron, schedule.time_zone
        found = fill(found, request, job)
    if found.pk != job.pk:
        _hand_over(job, found, using)
    changes.delete()
    return True


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
        kwargs=job.get_arguments(),
        context=job.context,
        tenant=job.tenant,
        given=given,
        kept_limit={'limit': job.limit, 'limit_most': job.limit_most} if job.limit else {},
        **{name: values[name] for name in WHEN},
    )

"""Delivery of waiting jobs: what the row records of it, and what Redis receives once that is committed."""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from django.db import connections
from django.db.models import F

from ..broker import delivery
from ..broker.delivery import Delivery
from ..choices import JobStatusChoices
from ..core import clock, queues, transactions
from ..core.order import DEFAULT, line_name
from ..models import Job, PausedQueue, Schedule, database
from ..models.querysets import JobQuerySet
from . import limits
from .line_up import line_up
from .order import is_ordered
from .unlocked import update_unlocked

logger = logging.getLogger('netbox_jobs')

_BATCH = 500
_SCHEDULED = JobStatusChoices.STATUS_SCHEDULED


def delivery_of(job: Job) -> Delivery:
    """Return what Redis receives of a job that waits."""
    return Delivery(
        job_id=str(job.job_id),
        id=job.delivery_id,
        queue=job.queue_name,
        subject=f'Job {job.pk} ({job.name})',
        description=f'{job.name} ({job.runner})',
        timeout=job.job_timeout,
        # The first delivery of an urgent job is that of one which comes behind others that are as urgent.
        options=job.options if job.priority <= DEFAULT or job.deliveries == 1 else {**job.options, 'at_front': True},
    )


def scheduled(using: str) -> JobQuerySet[Job]:
    """Return the jobs that wait for their time alone: no other occurrence and no pause holds them back."""
    jobs = Job.objects.using(using)
    found = jobs.filter(status=JobStatusChoices.STATUS_SCHEDULED, due__isnull=False)
    found = found.exclude(predecessor__status__in=JobStatusChoices.ENQUEUED_STATE_CHOICES)
    found = found.exclude(schedule__in=jobs.running().exclude(schedule=None).values('schedule'))
    paused = PausedQueue.objects.using(using).values('name')
    return found.exclude(schedule__paused=True).exclude(queue_name__in=paused)


def deliver_after_commit(job: Job) -> None:
    """Deliver a job that is due once the caller's transaction has committed; never if it rolls back."""
    if job.status == JobStatusChoices.STATUS_PENDING and job.due is not None:
        _deliver_after_commit([delivery_of(job)], job._state.db)
    elif job.held:
        deliver_many_after_commit([job], job._state.db or database())


def look_after_commit(job: Job) -> None:
    """Deliver the next jobs of the line in which a job waits, once the transaction has committed."""
    using, name = job._state.db or database(), line_name(job.queue_name) if is_ordered(job) else job.limit
    transactions.after_commit(lambda: serve(name, using, new={job.pk: job}), using=using)


def deliver_many_after_commit(jobs: Sequence[Job], using: str) -> None:
    """Deliver those of the jobs that are due after the commit, in a few round trips."""
    due = [delivery_of(job) for job in jobs if job.status == JobStatusChoices.STATUS_PENDING and job.due is not None]
    held = {job.pk: job for job in jobs if job.held and job.due is not None and job.status == _SCHEDULED}
    if due:
        _deliver_after_commit(due, using)
    if held:
        transactions.after_commit(lambda: deliver_held(held, using), using=using)


def serve_after_commit(jobs: Mapping[str, Sequence[Job]], using: str) -> None:
    """Deliver those of new jobs in line, by the names of their limits, for which there are slots, after the commit."""

    def serve_them() -> None:
        for name, of_limit in jobs.items():
            serve(name, using, new={job.pk: job for job in of_limit}, inline=True)

    if jobs:
        transactions.after_commit(serve_them, using=using)


def deliver_held(jobs: Mapping[int, Job], using: str, *, inline: bool = True) -> int:
    """Deliver those of these jobs that are due and whose limits have a slot; the others wait in line.

    Args:
        jobs: Jobs that are `held`, by their primary keys; what happens to their rows is shown by these objects.
        using: The alias of the database that holds the jobs.
        inline: False for recovery; see `delivery.deliver()`.

    Returns:
        How many jobs were delivered; others that waited before these may be among them.
    """
    admitted, at_back = limits.admit_at_once(jobs, using)
    if admitted:
        _deliver(admitted, at_back, jobs, inline)
        return len(admitted)
    delivered, keys = 0, list(jobs)
    for first in range(0, len(keys), _BATCH):
        due = scheduled(using).filter(pk__in=keys[first : first + _BATCH], held=True, due__lte=clock.now_ms())
        names = line_up(due.order_by('due', 'pk'), using)
        delivered += sum(serve(name, using, new=jobs, inline=inline) for name in names)
    return delivered


def serve(
    name: str,
    using: str,
    *,
    new: Mapping[int, Job] = MappingProxyType({}),
    first: Collection[str] = (),
    inline: bool = False,
) -> int:
    """Deliver the jobs in the line of a limit for which it has slots; return how many.

    Args:
        name: The name of the limit.
        using: The alias of the database that holds the jobs.
        new: The jobs that have not waited, by their primary keys: the others are the next ones in their queues.
        first: The queues whose jobs come first.
        inline: False for recovery; see `delivery.deliver()`.
    """
    served = 0
    for jobs, at_back in limits.serve(name, using, first):
        _deliver(jobs, at_back, new, inline)
        served += len(jobs)
    return served


def _deliver(jobs: Sequence[Job], at_back: Collection[int], new: Mapping[int, Job], inline: bool) -> None:
    made = [_made_for(job, at_back, new) for job in jobs]
    at_front = [each for each in made if each.options.get('at_front')]
    # Of those at the front of a queue, the one that is put there last is the first.
    made = [*reversed(at_front), *(each for each in made if not each.options.get('at_front'))]
    if inline or all(queues.is_async(each.queue) for each in made):
        delivery.deliver_many(made)
        return
    for each in made:
        delivery.deliver(each, inline=False)


def _made_for(job: Job, at_back: Collection[int], new: Mapping[int, Job]) -> Delivery:
    made = delivery_of(job)
    if (known := new.get(job.pk)) is not None:
        for name in ('status', 'due', 'held', 'slotted', 'deliveries'):
            setattr(known, name, getattr(job, name))
    if job.pk in at_back:
        return replace(made, options=job.options)
    if job.priority > DEFAULT or (known is None and not is_ordered(job)):  # it has waited: it is the next one
        return replace(made, options={**made.options, 'at_front': True})
    return made


def serve_limits_of(job: Job) -> None:
    """Deliver the jobs that wait for a slot which this job had; what prevents that is left to recovery."""
    try:
        using = job._state.db or database()
        for name in limits.freed_by(job, using):
            serve(name, using)
    except Exception:
        logger.exception('Job %s (%s): the slot that it had could not be given to another job yet.', job.pk, job.name)


class _Deliveries:
    """The callback after a commit: it delivers all that was enqueued in a row, in one pipeline for each queue."""

    def __init__(self, deliveries: list[Delivery]) -> None:
        self.deliveries = deliveries

    def __call__(self) -> None:
        if len(self.deliveries) == 1:
            delivery.deliver(self.deliveries[0])
        else:
            delivery.deliver_many(self.deliveries)


def _deliver_after_commit(made: list[Delivery], using: str | None) -> None:
    connection = connections[using or database()]
    if connection.in_atomic_block and connection.run_on_commit:
        savepoints, last = connection.run_on_commit[-1][:2]
        # Only the last callback, so that what the project wants done in between comes in between; and only of the same
        # savepoints, whose rollback takes it away.
        if isinstance(last, _Deliveries) and savepoints == set(connection.savepoint_ids):
            last.deliveries += made
            return
    transactions.after_commit(_Deliveries(made), using=using or database())


def withdraw_after_commit(job: Job) -> None:
    """Take the delivery of a job back out of RQ once the caller's transaction has committed."""
    queue, delivery_id = job.queue_name, job.delivery_id
    transactions.after_commit(lambda: delivery.withdraw(queue, [delivery_id]), using=job._state.db)


def make_deliverable(job: Job, *, unless_paused: bool = False) -> bool:
    """Count one more delivery of a due job that waits; return False if it waits no more, or another caller was first.

    One that another transaction has locked is left as it is, too.

    Args:
        job: The job.
        unless_paused: Not while its schedule is paused, which may have happened since the job was read.
    """
    if job.held:  # see `deliver_held()`
        return False
    ready = Job.objects.using(job._state.db).filter(
        pk=job.pk, status=job.status, deliveries=job.deliveries, due=job.due
    )
    if unless_paused and job.schedule_id is not None:
        paused = Schedule.objects.using(job._state.db).filter(pk=job.schedule_id, paused=True)
        ready = ready.exclude(schedule_id__in=paused.values('pk'))
    due = clock.now_ms()
    values: dict[str, Any] = {'status': JobStatusChoices.STATUS_PENDING, 'deliveries': F('deliveries') + 1, 'due': due}
    if not update_unlocked(ready, **values):
        return False
    job.status, job.due, job.deliveries = JobStatusChoices.STATUS_PENDING, due, job.deliveries + 1
    return True

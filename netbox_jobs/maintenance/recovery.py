"""Recovery of waiting jobs: rows are compared with RQ, and what disagrees is repaired by conditional UPDATEs.

Any number of processes may do this at once, and each repair takes effect once. One worker at a time does it, because
that is enough. (Running jobs whose worker is gone: see `orphans.py`.)
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from django.db import connections
from redis.exceptions import RedisError

from ..broker import connection, delivery
from ..choices import JobStatusChoices
from ..core import clock, queues
from ..enqueue import unsaved
from ..lifecycle import deliver
from ..lifecycle.cancel import cancel
from ..lifecycle.deliver import delivery_of, make_deliverable
from ..lifecycle.dependencies import settle_dependent
from ..lifecycle.unlocked import unless_locked
from ..lifecycle.workflows import gated as gated_callback
from ..models import Job, PausedQueue, RepairCount, database
from ..models.querysets import JobQuerySet
from . import workflows
from .chains import continue_chains, follow_time_zone, make_pending_changes

logger = logging.getLogger('netbox_jobs')

#: A job that waits is compared with RQ when its delivery is older than this, in milliseconds.
DELIVERY_GRACE = 5_000
_BATCH = 500


def _nothing() -> None:
    return None


def deliver_due(older_than: float = 0, between: Callable[[], None] = _nothing) -> int:
    """Deliver the scheduled jobs whose time has come; return how many.

    Jobs of a queue that this process cannot reach are left to the others.

    Args:
        older_than: Seconds for which they must be due already: a worker that acts only if the others do not leaves
            the first moments to them.
        between: Called between two steps, so that a worker with many jobs to deliver can send its heartbeats.
    """
    delivered = 0
    resting: set[str] = set()
    held: set[int] = set()
    while True:
        due = scheduled().filter(due__lte=clock.now_ms() - int(older_than * 1000)).exclude(queue_name__in=resting)
        batch = list(due.exclude(pk__in=held).order_by('due')[:_BATCH])
        held |= _held_by_requeued(batch)
        delivered += _deliver_limited(job for job in batch if job.held and job.pk not in held)
        for job in batch:
            between()
            if job.pk in held:
                continue
            if job.queue_name in resting or connection.is_resting(job.queue_name):
                resting.add(job.queue_name)
            elif make_deliverable(job, unless_paused=True):
                delivery.deliver(delivery_of(job), inline=False)
                delivered += 1
        if len(batch) < _BATCH:
            return delivered


def _deliver_limited(jobs: Iterable[Job]) -> int:
    limited = {job.pk: job for job in jobs if not connection.is_resting(job.queue_name)}
    return deliver.deliver_held(limited, database(), inline=False) if limited else 0


def _held_by_requeued(jobs: list[Job]) -> set[int]:
    """Return the keys of the jobs that wait for a requeued earlier occurrence, so that the two do not overlap.

    While it ran, a later one was arranged and has the slot; if that one is canceled, the one after it follows an ended
    job.
    """
    schedules = {job.schedule_id for job in jobs if job.slot is not None}
    if not schedules:
        return set()
    requeued = Job.objects.using(database()).waiting().filter(schedule__in=schedules, slot=None)
    busy = set(requeued.values_list('schedule', flat=True))
    return {job.pk for job in jobs if job.slot in busy}


def scheduled() -> JobQuerySet[Job]:
    """Return the jobs that wait for their time alone: no other occurrence and no pause holds them back."""
    return deliver.scheduled(database())


def _paused() -> Any:
    """The names of the paused queues, as a query."""
    return PausedQueue.objects.using(database()).values('name')


def redeliver_vanished(
    older_than: float = 0, between: Callable[[], None] = _nothing, pause: Callable[[], None] = _nothing
) -> int:
    """Deliver the waiting jobs again that RQ does not know, or has lost; return how many.

    Args:
        older_than: Seconds beyond the usual ones for which they must have been delivered; see `deliver_due()`.
        between: Called between two steps; see `deliver_due()`.
        pause: Waits for a moment, in which a worker claims what it has just taken out of RQ, or puts it back. Not
            called where so many are missing that RQ has lost them all.
    """
    redelivered, found = 0, vanished(older_than, between)
    while missing := list(islice(found, _BATCH)):
        if len(missing) < _BATCH:
            pause()
            ids = {name: _ids_in(name) or set() for name in {job.queue_name for job in missing}}
            missing = [job for job in missing if _has_outlived(job) or job.delivery_id not in ids[job.queue_name]]
        redelivered += _redeliver(missing, between)
    RepairCount.add(RepairCount.Kind.REDELIVERY, redelivered)
    return redelivered


def _redeliver(missing: list[Job], between: Callable[[], None]) -> int:
    redelivered = 0
    for job in missing:
        between()
        if _has_outlived(job):
            with unless_locked(database(), f'Job {job.pk} ({job.name})'):
                cancel(job, f'No worker took it within its ttl of {job.options["ttl"]} seconds.')
        elif not connection.is_resting(job.queue_name) and make_deliverable(job):
            logger.warning('Job %s (%s): RQ has lost its delivery; delivered again.', job.pk, job.name)
            delivery.deliver(delivery_of(job), inline=False)
            redelivered += 1
    return redelivered


def vanished(older_than: float = 0, between: Callable[[], None] = _nothing) -> Iterator[Job]:
    """Yield the jobs that were delivered a while ago, still wait, and are in no queue of RQ."""
    known: dict[str, set[str] | None] = {}
    for batch in _overdue(older_than):
        between()
        missing: dict[str, list[Job]] = defaultdict(list)
        for job in batch:
            if job.queue_name not in known:
                known[job.queue_name] = _ids_in(job.queue_name)
            ids = known[job.queue_name]
            if _has_outlived(job):
                yield job  # its id stands in RQ's queue, until a worker comes upon it
            elif ids is not None and job.delivery_id not in ids:
                missing[job.queue_name].append(job)
        for queue_name, jobs in missing.items():
            yield from _not_deferred(queue_name, jobs)


def _has_outlived(job: Job) -> bool:
    """Return whether RQ has dropped a delivery that waited for longer than its `ttl`, as it was to."""
    ttl = job.options.get('ttl') or -1
    return bool(0 < ttl * 1000 <= clock.now_ms() - (job.due or 0))


def _overdue(older_than: float) -> Iterator[list[Job]]:
    """Yield batches of jobs that were delivered a while ago and still wait, by the index on status and due."""
    waiting = Job.objects.using(database()).filter(
        status=JobStatusChoices.STATUS_PENDING, due__lte=clock.now_ms() - DELIVERY_GRACE - int(older_than * 1000)
    )
    waiting = waiting.exclude(queue_name__in=_paused())
    after: tuple[int, int] | None = None
    while True:
        rows = waiting if after is None else waiting.filter(due__gte=after[0])
        if after is not None:
            rows = rows.exclude(due=after[0], pk__lte=after[1])
        batch = list(rows.order_by('due', 'pk')[:_BATCH])
        if batch:
            after = (batch[-1].due or 0, batch[-1].pk)  # before the caller delivers them again
            yield batch
        if len(batch) < _BATCH:
            return


def _ids_in(queue_name: str) -> set[str] | None:
    """Return the ids that wait in a queue of RQ; None if it cannot be asked."""
    try:
        if not queues.is_async(queue_name):
            return set()
        return set(connection.queue(queue_name).job_ids)
    except (RedisError, LookupError) as error:
        logger.info('Queue %s cannot be compared with its jobs (%s).', queue_name, error)
        return None


def _not_deferred(queue_name: str, jobs: list[Job]) -> Iterable[Job]:
    """Return the jobs that RQ does not hold back on purpose, because they depend on a job of its own."""
    depending = [job for job in jobs if job.options.get('depends_on')]
    if not depending:
        return jobs
    found = connection.queue(queue_name)
    deferred = set(found.deferred_job_registry.get_job_ids())
    return [job for job in jobs if job.delivery_id not in deferred]


def settle_dependents(between: Callable[[], None] = _nothing) -> int:
    """Deliver the jobs that need not wait for others any more, if the end of one of them was missed.

    Args:
        between: Called between two steps; see `deliver_due()`.

    Returns:
        How many there were.
    """
    unsaved.cancel_abandoned()
    make_pending_changes(between)
    continue_chains(between)
    follow_time_zone(between)
    workflows.recover(between)
    gated = Job.objects.using(database()).filter(status=JobStatusChoices.STATUS_PENDING, due=None)
    # Not rows made by hand, which wait for nothing and could not be run, nor those whose object is not saved yet.
    gated = gated.exclude(runner='').exclude(object_type__isnull=False, object_id=None)
    gated = gated.exclude(gated_callback(database()))
    # Not those that rightly wait: there may be more of them than a batch, before the one that does not.
    free = gated.exclude(dependencies__status__in=JobStatusChoices.ENQUEUED_STATE_CHOICES)
    batch = list(free.order_by('pk')[:_BATCH])
    for job in [*batch, *_after_failures(gated)]:
        between()
        try:
            settle_dependent(job, patience=0)
        except Exception:  # one that cannot be settled does not keep the others from it
            if not connections[database()].is_usable():
                raise
            logger.exception('Job %s (%s), which waits for others, could not be settled.', job.pk, job.name)
    RepairCount.add(RepairCount.Kind.DEPENDENT, len(batch))
    return len(batch)


def _after_failures(gated: JobQuerySet[Job]) -> list[Job]:
    """Return jobs that one failure of several is enough for, and may have happened, while the others have not ended."""
    wrong = (JobStatusChoices.STATUS_FAILED, JobStatusChoices.STATUS_ERRORED)
    found = gated.filter(options__has_key='on_failure_of', dependencies__status__in=wrong)
    found = found.filter(dependencies__status__in=JobStatusChoices.ENQUEUED_STATE_CHOICES)
    return list(found.distinct().order_by('pk')[:_BATCH])

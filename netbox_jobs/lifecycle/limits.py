"""Slots of limits: a limited job is delivered when each of its limits has one for it; until then it waits in line.

A job that has a slot is one whose row says that it is delivered or runs, so that nothing has to give a slot back: the
end of a job frees it, and so does recovery when it ends the job of a dead worker. Slots are counted and given under the
lock of the limits' rows. Until then, the row of the job is `held`: no worker can claim it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.db.models import Count, Exists, F, OuterRef, Subquery
from django.db.models.functions import Coalesce

from ..choices import JobStatusChoices
from ..core import clock, limits, transactions
from ..models import Job, LimitRow, LimitSlot, PausedQueue, Schedule, Worker
from ..models.querysets import JobQuerySet

#: So many jobs of a line are looked at in one step.
_BATCH = 50
#: And so many at once; the next look at all limits goes on from there.
_MOST = 500
_WITH_SLOT = (JobStatusChoices.STATUS_PENDING, JobStatusChoices.STATUS_RUNNING)


def is_limited(job: Job) -> bool:
    """Return whether a job has a limit: that of its runner, or that of its queue."""
    return bool(job.limit) or limits.of_queue(job.queue_name) is not None


def limits_of(job: Job) -> dict[str, int]:
    """Return the limits of a job by name, that of its runner first, and how many jobs of each may run at once."""
    found: dict[str, int] = {}
    if job.limit:
        most = limits.of_runner(job.runner, job.limit_most or 1)
        if most is not None:
            found[job.limit] = most
    if (most := limits.of_queue(job.queue_name)) is not None:
        found[limits.queue_limit_name(job.queue_name)] = most
    return found


def waiting_in_line(using: str) -> JobQuerySet[Job]:
    """Return the jobs that wait for a slot."""
    return Job.objects.using(using).filter(status=JobStatusChoices.STATUS_SCHEDULED, due=None, held=True)


def has_slot(using: str) -> Exists:
    """Return, for an UPDATE that has delivered jobs wait again, whether they gave up a slot: they are held again."""
    return Exists(LimitSlot.objects.using(using).filter(job_id=OuterRef('pk')))


def line_up(jobs: Iterable[Job], using: str) -> list[str]:
    """Have due jobs that are held wait in the line of their first limit; return the names of these limits.

    A job that has no limit any more is held no more.
    """
    lines: dict[str, list[int]] = defaultdict(list)
    most: dict[str, int] = {}
    for job in jobs:
        found = limits_of(job)
        lines[next(iter(found), '')].append(job.pk)
        most |= found
    free = lines.pop('', [])
    if free:
        held = Job.objects.using(using).filter(pk__in=free, held=True, status=JobStatusChoices.STATUS_SCHEDULED)
        held.update(held=False)
    if lines:
        _make_rows(most, using)
        transactions.retried(lambda: _line_up(lines, using), using)
    return list(lines)


def _line_up(lines: dict[str, list[int]], using: str) -> None:
    due = Job.objects.using(using).filter(status=JobStatusChoices.STATUS_SCHEDULED, due__isnull=False, held=True)
    keys = sorted(pk for line in lines.values() for pk in line)
    since = dict(due.filter(pk__in=keys).order_by('pk').select_for_update().values_list('pk', 'due'))
    slots = LimitSlot.objects.using(using)
    slots.filter(job_id__in=since).delete()
    slots.bulk_create(
        [
            LimitSlot(limit=limits.digest(name), job_id=pk, since=since[pk])
            for name, line in lines.items()
            for pk in line
            if pk in since
        ],
        batch_size=500,
    )
    Job.objects.using(using).filter(pk__in=since).update(due=None)


def _make_rows(most: dict[str, int], using: str) -> None:
    """Insert the rows of these limits that are missing, in no transaction of ours: nobody waits for their locks."""
    rows = LimitRow.objects.using(using)
    missing = {limits.digest(name): name for name in most}
    for key in rows.filter(key__in=missing).values_list('key', flat=True):
        del missing[key]
    if missing:
        new = [LimitRow(key=key, name=name, most=most[name]) for key, name in missing.items()]
        rows.bulk_create(new, ignore_conflicts=True)


def serve(name: str, using: str, first: Sequence[str] = ()) -> Iterator[Job]:
    """Give the free slots of a limit to the jobs in its line; yield each of them, which is to be delivered.

    Args:
        name: The limit's name.
        using: The alias of the database that holds the jobs.
        first: The queues whose jobs come first.
    """
    key = limits.digest(name)
    seen: set[int] = set()
    while len(seen) < _MOST:
        head = _head(key, 1, seen, using, first)
        if not head:
            return
        most = limits_of(head[0]).get(name)
        room = _BATCH if most is None else most - with_slot(using).filter(limit=key).count()
        if room <= 0:
            return
        for job in head if room == 1 else _head(key, min(room, _BATCH), seen, using, first):
            seen.add(job.pk)
            if transactions.retried(lambda job=job: _admit(job, using), using):  # type: ignore[misc]
                yield job


def _head(key: str, count: int, seen: Iterable[int], using: str, first: Sequence[str]) -> list[Job]:
    """Return the first jobs of a line: those of queues that a worker serves, or else others."""
    line = in_line(using).filter(limit=key).order_by('since', 'pk').exclude(job_id__in=seen)
    served = [
        name for queues in Worker.objects.using(using).values_list('queues', flat=True) for name in _names(queues)
    ]
    for names in filter(None, (first, served)):
        if found := [slot.job for slot in line.filter(job__queue_name__in=names).select_related('job')[:count]]:
            return found
    return [slot.job for slot in line.select_related('job')[:count]]


def _names(queues: str) -> list[str]:
    return queues.replace(',', ' ').split()


def in_line(using: str) -> Any:
    """Return the places in line of the jobs that could run if they had a slot."""
    jobs = Job.objects.using(using)
    slots = LimitSlot.objects.using(using).filter(since__isnull=False, job__held=True, job__due=None)
    slots = slots.filter(job__status=JobStatusChoices.STATUS_SCHEDULED)
    slots = slots.exclude(job__queue_name__in=PausedQueue.objects.using(using).values('name'))
    # Two occurrences of one schedule do not run side by side.
    running = jobs.running().exclude(schedule=None).values('schedule')
    slots = slots.exclude(job__schedule_id__isnull=False, job__schedule_id__in=running)
    paused = Schedule.objects.using(using).filter(paused=True).values('pk')
    return slots.exclude(job__schedule_id__isnull=False, job__schedule_id__in=paused)


def with_slot(using: str) -> Any:
    """Return the slots that are taken."""
    return LimitSlot.objects.using(using).filter(since=None, job__held=False, job__status__in=_WITH_SLOT)


def _admit(job: Job, using: str) -> bool:
    """Give a job in line a slot of each of its limits, in a transaction; return False if one of them has none."""
    found = limits_of(job)
    full = next((name for name in _locked(found, using) if _is_full(name, found[name], using)), None)
    slots = LimitSlot.objects.using(using)
    if full is not None:
        # It waits in that line from now on: the others go past it.
        slots.filter(job_id=job.pk, since__isnull=False).update(limit=limits.digest(full))
        return False
    now = clock.now_ms()
    deliverable = waiting_in_line(using).filter(pk=job.pk, deliveries=job.deliveries, limit=job.limit)
    deliverable = deliverable.filter(queue_name=job.queue_name)
    pending = JobStatusChoices.STATUS_PENDING
    if not deliverable.update(status=pending, due=now, held=False, deliveries=F('deliveries') + 1):
        return False
    slots.filter(job_id=job.pk).delete()
    slots.bulk_create([LimitSlot(limit=limits.digest(name), job_id=job.pk, since=None) for name in found])
    job.status, job.due, job.held, job.deliveries = pending, now, False, job.deliveries + 1
    return True


def _locked(found: dict[str, int], using: str) -> Sequence[str]:
    """Lock the rows of these limits in one order, and have them say how many jobs may run; return their names."""
    by_key = {limits.digest(name): name for name in found}
    rows = LimitRow.objects.using(using)
    locked = dict(rows.filter(key__in=by_key).order_by('key').select_for_update().values_list('key', 'most'))
    if locked.keys() != by_key.keys():
        rows.bulk_create(
            [LimitRow(key=key, name=name, most=found[name]) for key, name in sorted(by_key.items())],
            ignore_conflicts=True,
        )
        locked = dict(rows.filter(key__in=by_key).order_by('key').select_for_update().values_list('key', 'most'))
    for key, most in locked.items():
        if most != found[by_key[key]]:
            rows.filter(key=key).update(most=found[by_key[key]])
    return [by_key[key] for key in sorted(by_key)]


def _is_full(name: str, most: int, using: str) -> bool:
    """Count the slots of a limit whose row is locked; those of jobs that have ended are deleted."""
    slots = LimitSlot.objects.using(using)
    taken = slots.filter(limit=limits.digest(name), since=None).values_list('pk', 'job__status', 'job__held')
    over, count = [], 0
    for pk, status, held in taken:
        if status in JobStatusChoices.TERMINAL_STATE_CHOICES:
            over.append(pk)
        elif status in _WITH_SLOT and not held:
            count += 1
    if over:
        slots.filter(pk__in=over).delete()
    return count >= most


def with_room(using: str) -> list[str]:
    """Return the names of the limits that have both a line and a free slot."""
    taken = with_slot(using).filter(limit=OuterRef('key')).order_by().values('limit').annotate(number=Count('pk'))
    rows = LimitRow.objects.using(using).filter(Exists(in_line(using).filter(limit=OuterRef('key'))))
    rows = rows.annotate(taken=Coalesce(Subquery(taken.values('number')), 0))
    return list(rows.filter(taken__lt=F('most')).values_list('name', flat=True))


def sweep(using: str) -> None:
    """Delete the slots of jobs that have ended or were deleted, and the rows of limits that no job has any more."""
    slots = LimitSlot.objects.using(using)
    enqueued = Job.objects.using(using).filter(
        pk=OuterRef('job_id'), status__in=JobStatusChoices.ENQUEUED_STATE_CHOICES
    )
    while over := list(slots.filter(~Exists(enqueued)).values_list('pk', flat=True)[:500]):
        slots.filter(pk__in=over).delete()
    # A process that has died may have left a line to a limit whose row was deleted at that moment.
    known = LimitRow.objects.using(using).filter(key=OuterRef('limit'))
    for slot in in_line(using).filter(~Exists(known)).select_related('job')[:_MOST]:
        _make_rows(limits_of(slot.job), using)
    lost = waiting_in_line(using).filter(~has_slot(using))
    lost.update(due=clock.now_ms())
    unused = ~Exists(slots.filter(limit=OuterRef('key')))
    LimitRow.objects.using(using).filter(unused).delete()

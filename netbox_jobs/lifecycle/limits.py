"""Slots of limits: a limited job is delivered when each of its limits has one for it; until then it waits in line.

A job that has a slot is one whose row says that it is delivered or runs, so that nothing has to give a slot back: the
end of a job frees it, and so does recovery when it ends the job of a dead worker. Slots are counted and given under the
lock of the limits' rows. Until then, the row of the job is `held`: no worker can claim it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from operator import attrgetter

from django.db import connections
from django.db.models import Exists, F, OuterRef

from ..choices import JobStatusChoices
from ..core import clock, limits, queues, transactions
from ..models import Job, LimitRow, LimitSlot, PausedQueue, Worker
from ..models.querysets import JobQuerySet
from .unlocked import update_unlocked

#: So many jobs of a line are looked at in one step.
_BATCH = 50
#: And so many at once; the next look at all limits continues there.
_MOST = 500
#: So deep it is looked behind jobs that wait for something else as well.
_DEEPEST = 20_000
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
        update_unlocked(held, held=False)
    if lines:
        _make_rows(most, using)
        transactions.retried(lambda: _line_up(lines, using), using)
    return list(lines)


def _line_up(lines: dict[str, list[int]], using: str) -> None:
    due = Job.objects.using(using).filter(status=JobStatusChoices.STATUS_SCHEDULED, due__isnull=False, held=True)
    keys = sorted(pk for line in lines.values() for pk in line)
    skip = connections[using].features.has_select_for_update_skip_locked  # else those that are locked come later
    found = due.filter(pk__in=keys).order_by('pk').select_for_update(skip_locked=skip)
    rows = {pk: (queue, since) for pk, queue, since in found.values_list('pk', 'queue_name', 'due')}
    slots = LimitSlot.objects.using(using)
    slots.filter(job_id__in=rows).delete()
    slots.bulk_create(
        [
            LimitSlot(limit=limits.digest(name), job_id=pk, queue=rows[pk][0], since=rows[pk][1])
            for name, line in lines.items()
            for pk in line
            if pk in rows
        ],
        batch_size=500,
    )
    Job.objects.using(using).filter(pk__in=rows).update(due=None)


def _make_rows(most: dict[str, int], using: str) -> None:
    """Insert the missing rows of these limits, in no transaction of ours: no caller waits for their locks."""
    rows = LimitRow.objects.using(using)
    missing = {limits.digest(name): name for name in most}
    for key in rows.filter(key__in=missing).values_list('key', flat=True):
        del missing[key]
    if missing:
        new = [LimitRow(key=key, name=name, most=most[name]) for key, name in missing.items()]
        rows.bulk_create(new, ignore_conflicts=True)


def serve(name: str, using: str, first: Collection[str] = ()) -> Iterator[Job]:
    """Give the free slots of a limit to the jobs in its line; yield each of them, which is to be delivered.

    Args:
        name: The limit's name.
        using: The alias of the database that holds the jobs.
        first: The queues whose jobs come first.
    """
    key, seen = limits.digest(name), set[int]()
    while len(seen) < _MOST:
        head = _head(key, seen, using, first)
        if not head:
            return
        most = limits_of(head[0]).get(name)
        room = _BATCH if most is None else most - len(with_slot([key], using)[key])
        if room <= 0:
            return
        for job in head[:room]:
            seen.add(job.pk)
            if transactions.retried(lambda job=job: _admit(job, using), using):  # type: ignore[misc]
                yield job


def _head(key: str, seen: Collection[int], using: str, first: Collection[str]) -> list[Job]:
    """Return the first jobs of a line: those of queues that a worker serves, or else others."""
    names = open_queues(using)
    served = {name for order in orders(using) for name in order}
    for group in (set(first), served, set(names)):
        if jobs := _first_of(key, group & set(names), seen, using):
            return jobs
    return []


def _first_of(key: str, names: Collection[str], seen: Collection[int], using: str) -> list[Job]:
    """Return the first jobs of these queues in a line; what is left there of jobs that are gone is deleted."""
    size = _BATCH + len(seen)
    while size < _DEEPEST:
        places: list[LimitSlot] = []
        for name in names:
            line = LimitSlot.objects.using(using).filter(limit=key, queue=name, since__isnull=False)
            places += line.order_by('since', 'pk')[:size]
        places = sorted((slot for slot in places if slot.job_id not in seen), key=attrgetter('since', 'pk'))
        jobs = _could_run([slot.job_id for slot in places], using)
        if jobs or not places:
            return [jobs[slot.job_id] for slot in places if slot.job_id in jobs][:_BATCH]
        if not _drop_gone(places, using):
            size *= 4  # they wait for something else as well: others may be behind them
    return []


def _drop_gone(places: Collection[LimitSlot], using: str) -> bool:
    """Delete the places of jobs that have ended or were deleted; return whether there were any."""
    keys = {slot.job_id for slot in places}
    enqueued = Job.objects.using(using).filter(pk__in=keys, status__in=JobStatusChoices.ENQUEUED_STATE_CHOICES)
    gone = keys - set(enqueued.values_list('pk', flat=True))
    LimitSlot.objects.using(using).filter(job_id__in=gone).delete()
    return bool(gone)


def _could_run(keys: Collection[int], using: str) -> dict[int, Job]:
    """Return those of these jobs that nothing but the limit keeps waiting. (By their keys alone: a fast plan.)"""
    if not keys:
        return {}
    rows = waiting_in_line(using).filter(pk__in=keys).exclude(schedule__paused=True)
    jobs = {job.pk: job for job in rows}
    schedules = {job.schedule_id for job in jobs.values() if job.schedule_id is not None}
    if schedules:  # two occurrences of one schedule do not run side by side
        waiting = Job.objects.using(using).waiting()
        running = Job.objects.using(using).running().filter(schedule_id__in=schedules)
        busy = set(running.values_list('schedule_id', flat=True))
        requeued = waiting.filter(schedule_id__in=schedules, slot=None).values_list('schedule_id', flat=True)
        busy_slots = set(requeued)
        jobs = {pk: job for pk, job in jobs.items() if job.schedule_id not in busy and job.slot not in busy_slots}
    return jobs


def open_queues(using: str) -> list[str]:
    """Return the queues that are not paused."""
    paused = set(PausedQueue.objects.using(using).values_list('name', flat=True))
    return [name for name in queues.configured() if name not in paused]


def orders(using: str) -> list[list[str]]:
    """Return the queues that each worker serves, in its order."""
    return [names.replace(',', ' ').split() for names in Worker.objects.using(using).values_list('queues', flat=True)]


def with_slot(keys: Iterable[str], using: str) -> dict[str, list[Job]]:
    """Return the jobs that have a slot, by the hashes of their limits."""
    taken = list(LimitSlot.objects.using(using).filter(limit__in=keys, queue='').values_list('limit', 'job_id'))
    rows = Job.objects.using(using).filter(pk__in={pk for _key, pk in taken}, held=False, status__in=_WITH_SLOT)
    jobs = {job.pk: job for job in rows.only('status', 'held', 'due', 'queue_name', 'deliveries', 'job_id')}
    found: dict[str, list[Job]] = defaultdict(list)
    for key, pk in taken:
        if pk in jobs:
            found[key].append(jobs[pk])
    return found


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
    if not update_unlocked(deliverable, status=pending, due=now, held=False, deliveries=F('deliveries') + 1):
        return False
    slots.filter(job_id=job.pk).delete()
    slots.bulk_create([LimitSlot(limit=limits.digest(name), job_id=job.pk) for name in found])
    job.status, job.due, job.held, job.deliveries = pending, now, False, job.deliveries + 1
    return True


def _locked(found: dict[str, int], using: str) -> Sequence[str]:
    """Lock the rows of these limits in one order, and have them say how many jobs may run; return their names."""
    by_key = {limits.digest(name): name for name in found}
    rows = LimitRow.objects.using(using)
    if not by_key:
        return []
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
    taken = dict(slots.filter(limit=limits.digest(name), queue='').values_list('job_id', 'pk'))
    jobs = Job.objects.using(using).filter(pk__in=taken).values_list('pk', 'status', 'held')
    states = {pk: (status, held) for pk, status, held in jobs}
    over = [
        slot
        for pk, slot in taken.items()
        if pk not in states or states[pk][0] in JobStatusChoices.TERMINAL_STATE_CHOICES
    ]
    if over:
        slots.filter(pk__in=over).delete()
    return sum(status in _WITH_SLOT and not held for status, held in states.values()) >= most


def with_line(using: str) -> list[tuple[LimitRow, set[str]]]:
    """Return the limits for which jobs wait in line, with their queues, without those that are paused."""
    found: dict[str, tuple[LimitRow, set[str]]] = {}
    for name in open_queues(using):
        line = LimitSlot.objects.using(using).filter(limit=OuterRef('key'), queue=name, since__isnull=False)
        for row in LimitRow.objects.using(using).filter(Exists(line)):
            found.setdefault(row.key, (row, set()))[1].add(name)
    return list(found.values())


def sweep(using: str) -> None:
    """Delete the slots of jobs that have ended or were deleted, and the rows of limits that no job has any more."""
    slots = LimitSlot.objects.using(using)
    enqueued = Job.objects.using(using).filter(
        pk=OuterRef('job_id'), status__in=JobStatusChoices.ENQUEUED_STATE_CHOICES
    )
    while over := list(slots.filter(~Exists(enqueued)).values_list('pk', flat=True)[:500]):
        slots.filter(pk__in=over).delete()
    # What a process has left that died at an unlucky moment: a line to a limit without a row, a job without a place.
    known = LimitRow.objects.using(using).filter(key=OuterRef('limit'))
    for slot in slots.filter(~Exists(known), since__isnull=False).select_related('job')[:_MOST]:
        _make_rows(limits_of(slot.job), using)
    update_unlocked(waiting_in_line(using).filter(~has_slot(using)), due=clock.now_ms())
    unused = ~Exists(slots.filter(limit=OuterRef('key')))
    LimitRow.objects.using(using).filter(unused).delete()

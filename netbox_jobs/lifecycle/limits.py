"""Slots of limits: a limited job is delivered when each of its limits has one for it; until then it waits in line.

A job that has a slot is one whose row says that it is delivered or runs, so that nothing has to give a slot back: the
end of a job frees it, and so does recovery when it ends the job of a dead worker. Slots are counted and given under the
lock of the limits' rows. Until then, the row of the job is `held`: no worker can claim it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from django.db import connections
from django.db.models import Exists, F, OuterRef, Q

from ..choices import JobStatusChoices
from ..core import clock, limits, transactions
from ..core.limits import Allowance
from ..core.order import AHEAD, is_line, line_name, place
from ..models import Job, LimitRow, LimitSlot, QueueLimit, RateStart
from . import lines, order, rates
from .unlocked import update_unlocked

#: So many jobs of a line are looked at at once; the next look at all limits continues there.
_MOST = 500
_WITH_SLOT = (JobStatusChoices.STATUS_PENDING, JobStatusChoices.STATUS_RUNNING)


def is_limited(job: Job) -> bool:
    """Return whether a job has a limit: that of its runner, or that of its queue."""
    named = job.limit or job.rate or job.slotted or job.held or order.is_ordered(job)
    return bool(named) or limits.of_queue(job.queue_name) is not None


def queue_limits(using: str) -> dict[str, int | None]:
    """Return the limits of queues that were set while workers run."""
    return dict(QueueLimit.objects.using(using).values_list('name', 'most'))


def limits_of(job: Job, of_queues: Mapping[str, int | None]) -> dict[str, Allowance]:
    """Return the limits of a job by name, that of its runner first, and what each allows.

    Args:
        job: The job.
        of_queues: See `queue_limits()`; those of the settings count for other queues.
    """
    found: dict[str, Allowance] = {}
    if job.limit:
        most = limits.of_runner(job.runner, job.limit_most or 1)
        if most is not None:
            found[job.limit] = Allowance(most)
    if (allowed := rates.allowance_of(job)) is not None:
        found[job.rate] = allowed
    name = job.queue_name
    if (most := of_queues[name] if name in of_queues else limits.of_queue(name)) is not None:
        found[limits.queue_limit_name(name)] = Allowance(most)
    if order.is_ordered(job):
        found[line_name(name)] = Allowance(AHEAD)
    return found


def has_slot(using: str) -> Q:
    """Return, for an UPDATE that has delivered jobs wait again, whether they gave up a slot: they are held again."""
    permits = RateStart.objects.using(using).filter(job_id=OuterRef('pk'), until=None)
    return Q(_has_place(using)) | Q(Exists(permits))


def _has_place(using: str) -> Exists:
    return Exists(LimitSlot.objects.using(using).filter(job_id=OuterRef('pk')))


def line_up(jobs: Iterable[Job], using: str) -> list[str]:
    """Have due jobs that are held wait in the line of their first limit; return the names of these limits.

    A job that has no limit any more is held no more.
    """
    new: dict[str, list[int]] = defaultdict(list)
    allowed: dict[str, Allowance] = {}
    of_queues, keys = queue_limits(using), set[tuple[str, str]]()
    for job in jobs:
        keys.add((job.queue_name, job.fair_key))
        found = limits_of(job, of_queues)
        new[next(iter(found), '')].append(job.pk)
        allowed |= found
    free = new.pop('', [])
    if free:
        held = Job.objects.using(using).filter(pk__in=free, held=True, status=JobStatusChoices.STATUS_SCHEDULED)
        update_unlocked(held, held=False, slotted=False)
    if new:
        _make_rows(allowed, using)
        order.add_keys(keys, using)
        has_rate = any(each.per is not None for each in allowed.values())
        transactions.retried(lambda: _line_up(new, using, has_rate=has_rate), using)
    return list(new)


def _line_up(new: dict[str, list[int]], using: str, *, has_rate: bool) -> None:
    due = Job.objects.using(using).filter(status=JobStatusChoices.STATUS_SCHEDULED, due__isnull=False, held=True)
    keys = sorted(pk for line in new.values() for pk in line)
    skip = connections[using].features.has_select_for_update_skip_locked  # else those that are locked come later
    found = due.filter(pk__in=keys).order_by('pk').select_for_update(skip_locked=skip)
    columns = found.values_list('pk', 'queue_name', 'due', 'priority', 'fair_key')
    rows = {pk: (queue, place(since or 0, priority), key) for pk, queue, since, priority, key in columns}
    slots = LimitSlot.objects.using(using)
    slots.filter(job_id__in=rows).delete()
    if has_rate:
        rates.withdraw(rows.keys(), using)
    slots.bulk_create(
        [
            LimitSlot(limit=limits.digest(name), job_id=pk, queue=rows[pk][0], since=rows[pk][1], key=rows[pk][2])
            for name, line in new.items()
            for pk in line
            if pk in rows
        ],
        batch_size=500,
    )
    Job.objects.using(using).filter(pk__in=rows).update(due=None)


def _make_rows(allowed: dict[str, Allowance], using: str) -> None:
    """Insert the missing rows of these limits, in no transaction of ours: no caller waits for their locks."""
    rows = LimitRow.objects.using(using)
    missing = {limits.digest(name): name for name in allowed}
    for key in rows.filter(key__in=missing).values_list('key', flat=True):
        del missing[key]
    if missing:
        rows.bulk_create([_row(name, allowed[name]) for name in missing.values()], ignore_conflicts=True)


def serve(name: str, using: str, first: Collection[str] = ()) -> Iterator[list[Job]]:
    """Give the free slots of a limit to the jobs in its line; yield those that are to be delivered next, in order.

    Args:
        name: The limit's name.
        using: The alias of the database that holds the jobs.
        first: The queues whose jobs come first.
    """
    key, seen = limits.digest(name), set[int]()
    while len(seen) < _MOST and not rates.rests(name, using):
        head, in_turns = lines.head(key, seen, using, first)
        head = order.in_order(head, using)
        if not head:
            return
        of_queues = queue_limits(using)
        found = limits_of(head[0], of_queues)
        room = _room(name, found[name], using) if name in found else len(head)
        if room <= 0:
            return
        jobs = [job for job in head[:room] if limits_of(job, of_queues) == found]
        seen |= {job.pk for job in jobs}
        admitted = transactions.retried(lambda jobs=jobs, found=found: _admit(jobs, found, using), using)  # type: ignore[misc]
        if in_turns:
            order.note_turns(admitted, using)
        yield admitted


def with_slot(keys: Iterable[str], using: str) -> dict[str, list[Job]]:
    """Return the jobs that have a slot, or a permit of a rate and have not begun, by the hashes of their limits."""
    taken = list(LimitSlot.objects.using(using).filter(limit__in=keys, queue='').values_list('limit', 'job_id'))
    taken += RateStart.objects.using(using).filter(limit__in=keys, until=None).values_list('limit', 'job_id')
    rows = Job.objects.using(using).filter(pk__in={pk for _key, pk in taken}, held=False, status__in=_WITH_SLOT)
    jobs = {job.pk: job for job in rows.only('status', 'held', 'due', 'queue_name', 'deliveries', 'job_id')}
    found: dict[str, list[Job]] = defaultdict(list)
    for key, pk in taken:
        if pk in jobs:
            found[key].append(jobs[pk])
    return found


def _admit(jobs: list[Job], found: dict[str, Allowance], using: str) -> list[Job]:
    """Give jobs in line a slot of each of their limits, in a transaction; return those that have got them.

    Args:
        jobs: Jobs that have the same limits, in their order.
        found: The limits.
        using: The alias of the database that holds the jobs.
    """
    rooms = {name: _room(name, found[name], using) for name in _locked(found, using)}
    tightest = min(rooms, key=lambda name: rooms[name], default='')
    size = max(0, rooms.get(tightest, len(jobs)))
    slots = LimitSlot.objects.using(using)
    if jobs[size:]:  # they wait in that line from now on: the others go past them
        rest = [job.pk for job in jobs[size:]]
        slots.filter(job_id__in=rest, since__isnull=False).update(limit=limits.digest(tightest))
    now, columns = clock.now_ms(), ('deliveries', 'queue_name', 'limit', 'rate', 'priority', 'fair_key')
    rows = lines.waiting_in_line(using).filter(pk__in=[job.pk for job in jobs[:size]])
    skip = connections[using].features.has_select_for_update_skip_locked
    rows = rows.order_by('pk').select_for_update(skip_locked=skip)
    locked = {pk: as_read for pk, *as_read in rows.values_list('pk', *columns)}
    admitted = [job for job in jobs[:size] if locked.get(job.pk) == [getattr(job, name) for name in columns]]
    keys = [job.pk for job in admitted]
    if not keys:
        return []
    pending = JobStatusChoices.STATUS_PENDING
    rows = Job.objects.using(using).filter(pk__in=keys)
    rows.update(status=pending, due=now, held=False, slotted=bool(found), deliveries=F('deliveries') + 1)
    slots.filter(job_id__in=keys).delete()
    at_once = [limits.digest(name) for name, allowed in found.items() if allowed.per is None]
    slots.bulk_create([LimitSlot(limit=key, job_id=pk) for pk in keys for key in at_once])
    if len(at_once) < len(found):
        rates.permit(keys, [name for name, allowed in found.items() if allowed.per is not None], using)
    for job in admitted:
        job.status, job.due, job.held, job.slotted = pending, now, False, bool(found)
        job.deliveries += 1
    return admitted


def _locked(found: dict[str, Allowance], using: str) -> Sequence[str]:
    """Lock the rows of these limits in one order, and have them say how many jobs may run; return their names."""
    by_key = {limits.digest(name): name for name in found}
    rows = LimitRow.objects.using(using)
    if not by_key:
        return []
    locked = _lock(by_key, using)
    if locked.keys() != by_key.keys():
        rows.bulk_create([_row(name, found[name]) for _key, name in sorted(by_key.items())], ignore_conflicts=True)
        locked = _lock(by_key, using)
    for key, allowed in locked.items():
        if allowed != found[by_key[key]]:
            changed = found[by_key[key]]
            rows.filter(key=key).update(most=changed.most, per=changed.per, full_until=None)
    return [by_key[key] for key in sorted(by_key)]


def _lock(keys: Collection[str], using: str) -> dict[str, Allowance]:
    rows = LimitRow.objects.using(using).filter(key__in=keys).order_by('key').select_for_update()
    return {key: Allowance(most, per) for key, most, per in rows.values_list('key', 'most', 'per')}


def _row(name: str, allowed: Allowance) -> LimitRow:
    return LimitRow(key=limits.digest(name), name=name, most=allowed.most, per=allowed.per)


def take(name: str, allowed: Allowance, job_id: int, using: str) -> int:
    """Take a permit of a rate for a call of a run, in a transaction; see `rates.take()`."""

    def take() -> int:
        _locked({name: allowed}, using)
        return rates.take(name, allowed, job_id, using)

    return transactions.retried(take, using)


def _room(name: str, allowed: Allowance, using: str) -> int:
    """Return how many more jobs a limit allows; what is left of those that have ended is deleted.

    Exact if its row is locked.
    """
    if allowed.per is not None:
        return rates.room(name, allowed, using)
    if is_line(name):
        return order.room(name, using)
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
    return allowed.most - sum(status in _WITH_SLOT and not held for status, held in states.values())


def with_line(using: str, *, full: bool = False) -> list[tuple[LimitRow, set[str]]]:
    """Return the limits for which jobs wait in line, with their queues, without those that are paused.

    Args:
        using: The alias of the database that holds the jobs.
        full: Return the rates that are known to be full; else the limits that are not.
    """
    found: dict[str, tuple[LimitRow, set[str]]] = {}
    rests = Q(full_until__isnull=False, full_until__gt=clock.now_ms())
    rows = LimitRow.objects.using(using).filter(rests if full else ~rests)
    for name in lines.open_queues(using):
        line = LimitSlot.objects.using(using).filter(limit=OuterRef('key'), queue=name, since__isnull=False)
        for row in rows.filter(Exists(line)):
            found.setdefault(row.key, (row, set()))[1].add(name)
    return list(found.values())


def sweep(using: str) -> None:
    """Delete the slots of jobs that have ended or were deleted, and the rows of limits that no job has any more."""
    rates.sweep(using)
    order.sweep(using)
    slots = LimitSlot.objects.using(using)
    enqueued = Job.objects.using(using).filter(
        pk=OuterRef('job_id'), status__in=JobStatusChoices.ENQUEUED_STATE_CHOICES
    )
    while over := list(slots.filter(~Exists(enqueued)).values_list('pk', flat=True)[:500]):
        slots.filter(pk__in=over).delete()
    # What a process has left that died at an unlucky moment: a line to a limit without a row, a job without a place.
    known = LimitRow.objects.using(using).filter(key=OuterRef('limit'))
    of_queues = queue_limits(using)
    for slot in slots.filter(~Exists(known), since__isnull=False).select_related('job')[:_MOST]:
        _make_rows(limits_of(slot.job, of_queues), using)
    update_unlocked(lines.waiting_in_line(using).filter(~_has_place(using)), due=clock.now_ms())
    starts = RateStart.objects.using(using).filter(limit=OuterRef('key'))
    LimitRow.objects.using(using).filter(~Exists(slots.filter(limit=OuterRef('key'))), ~Exists(starts)).delete()

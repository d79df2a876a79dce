"""How jobs get their slots: counted and given in one transaction, under the lock of the rows of their limits."""

import time
from collections.abc import Collection, Sequence

from django.db import connections
from django.db.models import F

from ..choices import JobStatusChoices
from ..core import clock, limits, transactions
from ..core.limits import Allowance
from ..core.order import is_line
from ..models import Job, LimitRow, LimitSlot
from . import lines, order, rates

#: Seconds for which the lock of a limit is tried: others give slots within milliseconds.
PATIENCE = 0.3
#: A job has its slot in these states.
WITH_SLOT = (JobStatusChoices.STATUS_PENDING, JobStatusChoices.STATUS_RUNNING)


class LimitLocked(Exception):
    """Another transaction keeps the row of a limit locked for longer than a moment."""


def admit(jobs: list[Job], found: dict[str, Allowance], using: str, *, in_line: bool = True) -> list[Job]:
    """Give jobs a slot of each of their limits, in a transaction; return those that have got them.

    Args:
        jobs: Jobs that have the same limits, in their order.
        found: The limits.
        using: The alias of the database that holds the jobs.
        in_line: Whether they wait in line; else all of them are new, and get their slots, or none does.

    Raises:
        LimitLocked: Another transaction keeps the row of a limit locked for longer than a moment.
    """
    ended: set[int] = set()
    rooms = {name: room(name, found[name], using, ended) for name in lock_rows(found, using)}
    tightest = min(rooms, key=lambda name: rooms[name], default='')
    size = max(0, rooms.get(tightest, len(jobs)))
    slots = LimitSlot.objects.using(using)
    if jobs[size:]:
        if not in_line:
            return []
        rest = [job.pk for job in jobs[size:]]  # they wait in that line from now on: the others go past them
        slots.filter(job_id__in=rest, since__isnull=False).update(limit=limits.digest(tightest))
    now, columns = clock.now_ms(), ('deliveries', 'queue_name', 'limit', 'rate', 'priority', 'fair_key')
    rows = lines.waiting_in_line(using) if in_line else lines.waiting_for_slot(using).filter(due__lte=now)
    rows = rows.filter(pk__in=[job.pk for job in jobs[:size]])
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
    if over := [*(keys if in_line else ()), *sorted(ended)]:
        slots.filter(job_id__in=over).delete()
    give(keys, found, using)
    for job in admitted:
        job.status, job.due, job.held, job.slotted = pending, now, False, bool(found)
        job.deliveries += 1
    return admitted


def give(keys: Collection[int], found: dict[str, Allowance], using: str) -> None:
    """Note that these jobs have a slot, or a permit, of each of these limits, whose rows are locked."""
    at_once = [limits.digest(name) for name, allowed in found.items() if allowed.per is None]
    if at_once:
        LimitSlot.objects.using(using).bulk_create([LimitSlot(limit=key, job_id=pk) for pk in keys for key in at_once])
    if len(at_once) < len(found):
        rates.permit(keys, [name for name, allowed in found.items() if allowed.per is not None], using)


def guess(name: str, allowed: Allowance, look: lines.Look, using: str) -> int:
    """Return for how many more jobs a limit probably has a slot, without its lock: whether it is worth one."""
    if allowed.per is not None:
        return rates.room(name, allowed, using)
    if is_line(name):
        return order.room(name, allowed.most, look.pending, using)
    return _left(allowed, look.taken)


def _left(allowed: Allowance, taken: int) -> int:
    return allowed.most - taken


def lock_rows(found: dict[str, Allowance], using: str) -> Sequence[str]:
    """Lock the rows of these limits in one order, and have them say how many jobs may run; return their names.

    Raises:
        LimitLocked: One is locked, as by a process that was suspended. Neither the loop of a worker nor its heartbeat
            stands still beside it; the maintenance threads try again.
    """
    by_key = {limits.digest(name): name for name in found}
    rows = LimitRow.objects.using(using)
    if not by_key:
        return []
    locked, give_up = _lock(by_key, using), time.monotonic() + PATIENCE
    if locked.keys() != by_key.keys() and rows.filter(key__in=by_key).count() < len(by_key):
        rows.bulk_create([row(name, found[name]) for _key, name in sorted(by_key.items())], ignore_conflicts=True)
        locked = _lock(by_key, using)
    while locked.keys() != by_key.keys():
        if time.monotonic() > give_up:
            raise LimitLocked
        time.sleep(0.005)
        locked = _lock(by_key, using)
    for key, allowed in locked.items():
        changed = found[by_key[key]]
        if allowed != changed and not is_line(by_key[key]):
            rows.filter(key=key).update(most=changed.most, per=changed.per, full_until=None)
    return [by_key[key] for key in sorted(by_key)]


def _lock(keys: Collection[str], using: str) -> dict[str, Allowance]:
    skip = connections[using].features.has_select_for_update_skip_locked
    rows = LimitRow.objects.using(using).filter(key__in=keys).order_by('key').select_for_update(skip_locked=skip)
    return {key: Allowance(most, per) for key, most, per in rows.values_list('key', 'most', 'per')}


def row(name: str, allowed: Allowance) -> LimitRow:
    """Return a new row of a limit."""
    return LimitRow(key=limits.digest(name), name=name, most=allowed.most, per=allowed.per)


def take(name: str, allowed: Allowance, job_id: int, using: str) -> int:
    """Take a permit of a rate for a call of a run, in a transaction; see `rates.take()`."""

    def take() -> int:
        lock_rows({name: allowed}, using)
        return rates.take(name, allowed, job_id, using)

    try:
        return transactions.retried(take, using)
    except LimitLocked:
        return 1


def room(name: str, allowed: Allowance, using: str, ended: set[int]) -> int:
    """Return how many more jobs a limit allows, whose row is locked.

    Args:
        name: The name of the limit.
        allowed: What it allows.
        using: The alias of the database that holds the jobs.
        ended: Receives the jobs that have ended, or begun, and still have rows of slots: these can be deleted.
    """
    if allowed.per is not None:
        return rates.room(name, allowed, using)
    slots = LimitSlot.objects.using(using).filter(limit=limits.digest(name), queue='')
    taken, has_slot = 0, WITH_SLOT[:1] if is_line(name) else WITH_SLOT
    for pk, status, held in slots.values_list('job_id', 'job__status', 'job__held'):
        if status in has_slot:
            taken += not held
        elif status in JobStatusChoices.TERMINAL_STATE_CHOICES:
            ended.add(pk)
    return _left(allowed, taken)

"""Jobs line up: those that need slots of limits, or have a place in the order of their queue, wait for their turn."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from django.db import connections

from ..choices import JobStatusChoices
from ..core import clock, transactions
from ..core.limits import Allowance, digest
from ..core.order import place
from ..models import FairTurn, Job, LimitRow, LimitSlot
from . import lines, order, rates
from .limits import limits_of, make_rows, queue_limits
from .unlocked import update_unlocked

_BATCH = 500


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
        make_rows(allowed, using)
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
            LimitSlot(limit=digest(name), job_id=pk, queue=rows[pk][0], since=rows[pk][1], key=rows[pk][2])
            for name, line in new.items()
            for pk in line
            if pk in rows
        ],
        batch_size=_BATCH,
    )
    Job.objects.using(using).filter(pk__in=rows).update(due=None)


def take_places(jobs: Sequence[Job], using: str) -> dict[str, list[Job]]:
    """Have many new jobs stand in line as soon as they are inserted, which costs them less than to line up after that.

    Args:
        jobs: New jobs without a schedule, which are not inserted yet.
        using: The alias of the database.

    Returns:
        Those whose places are to be inserted with `insert_places()`, by the names of their limits.
    """
    now = clock.now_ms()
    held = [job for job in jobs if job.held and job.due is not None and job.due <= now]
    if len(held) <= lines.BATCH:  # few may be delivered at once
        return {}
    of_queues = queue_limits(using)
    found: dict[str, list[Job]] = defaultdict(list)
    allowed: dict[str, Allowance] = {}
    for job in held:
        own = limits_of(job, of_queues)
        found[next(iter(own), '')].append(job)
        allowed |= own
    # Rows that are missing are inserted after the commit, when no caller waits for them.
    if '' in found or not _are_known(held, allowed, using):
        return {}
    for job in held:
        job.due = None
    return found


def _are_known(jobs: Sequence[Job], allowed: dict[str, Allowance], using: str) -> bool:
    """Return whether there are rows of these limits, and of the keys of these jobs."""
    rows = LimitRow.objects.using(using).filter(key__in=[digest(name) for name in allowed])
    if rows.count() < len(allowed):
        return False
    keys = {(job.queue_name, job.fair_key) for job in jobs if job.fair_key}
    if not keys:
        return True
    turns = FairTurn.objects.using(using).filter(key__in={'', *(key for _queue, key in keys)})
    return keys | {(queue, '') for queue, _key in keys} <= set(turns.values_list('queue', 'key'))


def insert_places(jobs: dict[str, list[Job]], using: str) -> None:
    """Insert the places of new jobs, which were inserted in this transaction; see `take_places()`."""
    now = clock.now_ms()
    LimitSlot.objects.using(using).bulk_create(
        [
            LimitSlot(limit=key, job_id=job.pk, queue=job.queue_name, since=place(now, job.priority), key=job.fair_key)
            for name, of_limit in jobs.items()
            for key in [digest(name)]
            for job in of_limit
        ],
        batch_size=_BATCH,
    )

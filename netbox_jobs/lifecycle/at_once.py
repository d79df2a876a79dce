"""A new job of a limit or a rate is inserted with its slots, or with its place in line: it need not be changed then."""

from collections.abc import Callable

from ..choices import JobStatusChoices
from ..core import clock, order, transactions
from ..core.limits import Allowance, digest
from ..models import Job, LimitRow, LimitSlot
from . import admission, lines, rates
from .ahead import Place
from .limits import limits_of, queue_limits
from .order import is_ordered


def insert(job: Job, insert_job: Callable[[], None], using: str) -> Place | None:
    """Insert a new job of no schedule, with slots of its limits if they have room and no other job waits for them.

    Not in a transaction of the caller, in which other jobs would wait for the rows of the limits.

    Args:
        job: The job.
        insert_job: Inserts its row.
        using: The alias of the database.

    Returns:
        Where it stands; None if it was not inserted.
    """
    if is_ordered(job) or job.due is None or job.due > clock.now_ms() or not transactions.is_outermost(using):
        return None
    found, has_room = limits_of(job, queue_limits(using)), True
    for name, allowed in found.items():
        if rates.rests(name, using):
            return None
        look = lines.Look(name, using)
        if job.queue_name in look.paused:
            return None
        has_room &= not look.queues and (allowed.per is not None or look.taken < allowed.most)
    if not found:
        return None
    if has_room and _insert_with_slots(job, insert_job, found, using):
        return Place(at_once=True)
    name, allowed = next(iter(found.items()))
    if len(found) > 1 or name != job.limit:
        return None
    return _insert_in_line(job, insert_job, name, allowed, using)


def _insert_with_slots(job: Job, insert_job: Callable[[], None], found: dict[str, Allowance], using: str) -> bool:
    before = job.status, job.held, job.slotted, job.deliveries

    def admit() -> bool:
        names, ended = admission.lock_rows(found, using), set[int]()
        if any(admission.room(name, found[name], using, ended) < 1 for name in names):
            return False
        job.status, job.held, job.slotted, job.deliveries = JobStatusChoices.STATUS_PENDING, False, True, 1
        insert_job()
        if ended:
            LimitSlot.objects.using(using).filter(job_id__in=sorted(ended)).delete()
        admission.give([job.pk], found, using)
        return True

    inserted = False
    try:
        inserted = transactions.retried(admit, using)
    except admission.LimitLocked:
        pass
    finally:
        if not inserted:
            job.status, job.held, job.slotted, job.deliveries = before
    return inserted


def _insert_in_line(
    job: Job, insert_job: Callable[[], None], name: str, allowed: Allowance, using: str
) -> Place | None:
    """Insert a job that waits for a slot of one limit. A slot may have become free before the others could see it."""
    key, due = digest(name), job.due or 0
    if not LimitRow.objects.using(using).filter(key=key).exists():
        return None
    job.due = None
    with transactions.transacting(using, savepoint=False):
        insert_job()
        row = LimitSlot(limit=key, job_id=job.pk, queue=job.queue_name, since=order.place(due, job.priority))
        row.save(using=using, force_insert=True)
    return Place(at_once=False, look=lines.Look(name, using).taken < allowed.most)

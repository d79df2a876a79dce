"""Recovery of limits: slots that are free are given to jobs in line, also if the process that freed them has died."""

from collections.abc import Collection

from django.db.models import Exists, OuterRef

from ..choices import JobStatusChoices
from ..core import clock, transactions
from ..enqueue import uniqueness
from ..lifecycle import deliver, limits
from ..lifecycle.wait import put_back
from ..models import Job, LimitRow, PausedQueue, Worker, database

#: A delivered job that no worker takes for so long gives its slot to a job that a worker would take, in milliseconds.
PATIENCE = 500
_BATCH = 50


def give_slots() -> int:
    """Deliver the jobs in line for which a limit has a slot; return how many."""
    using = database()
    if not LimitRow.objects.using(using).exists():
        return 0
    taken_back = _take_back(using)
    return taken_back + sum(deliver.serve(name, using) for name in limits.with_room(using))


def sweep() -> None:
    """Delete what is left of limits, and of unique jobs, that no job has any more."""
    limits.sweep(database())
    uniqueness.sweep(database())


def _take_back(using: str) -> int:
    """Have delivered jobs wait in line again that no worker takes before others which wait for their slots.

    These are jobs of a queue that is paused or that no worker serves, and jobs of a queue that comes after that of the
    others.
    """
    line = limits.in_line(using).filter(limit=OuterRef('limit')).exclude(job__queue_name=OuterRef('job__queue_name'))
    delivered = limits.with_slot(using).filter(
        Exists(line), job__status=JobStatusChoices.STATUS_PENDING, job__due__lt=clock.now_ms() - PATIENCE
    )
    slots = list(delivered.select_related('job')[:_BATCH])
    if not slots:
        return 0
    orders = [
        queues.replace(',', ' ').split() for queues in Worker.objects.using(using).values_list('queues', flat=True)
    ]
    paused = set(PausedQueue.objects.using(using).values_list('name', flat=True))
    names = dict(
        LimitRow.objects.using(using).filter(key__in={slot.limit for slot in slots}).values_list('key', 'name')
    )
    served = 0
    for slot in slots:
        others = limits.in_line(using).filter(limit=slot.limit).exclude(job__queue_name=slot.job.queue_name)
        waiting = set(others.order_by('since').values_list('job__queue_name', flat=True)[:_BATCH])
        first = _taken_before(slot.job.queue_name, waiting, orders, paused)
        if first and slot.limit in names and _line_up_again(slot.job, using):
            served += deliver.serve(names[slot.limit], using, first=first)
    return served


def _taken_before(
    queue: str, others: Collection[str], orders: Collection[list[str]], paused: Collection[str]
) -> list[str]:
    """Return those of the other queues whose jobs a worker takes before the jobs of this one, or instead of them."""
    taken = {name for order in orders for name in order}
    if queue in paused or queue not in taken:
        return [name for name in others if name in taken]
    return [
        name
        for name in others
        if any(queue in order and name in order and order.index(name) < order.index(queue) for order in orders)
    ]


def _line_up_again(job: Job, using: str) -> bool:
    def line_up() -> bool:
        if not put_back(job):
            return False
        Job.objects.using(using).filter(pk=job.pk, held=True).update(due=clock.now_ms())
        return True

    if not transactions.retried(line_up, using):
        return False
    limits.line_up([job], using)
    return True

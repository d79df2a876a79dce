"""The order within a queue: urgent jobs first, and one key after the other.

Jobs that have a priority or a key wait in the line of their queue, in the database. A few of them are delivered ahead,
and the next few when these have begun: what comes later and is more urgent, or is the first of another key, waits for
few jobs and not for all. Jobs of neither kind are delivered as ever.
"""

from collections.abc import Collection, Iterable
from typing import Any, TypeVar

from django.db import connections
from django.db.models import Exists, OuterRef, Q

from ..choices import JobStatusChoices
from ..core import clock, limits, order
from ..core.text import storable_text
from ..models import FairTurn, Job, LimitSlot
from . import line_sql

J = TypeVar('J', bound=Any)

#: Seconds after which a key of which no job waits is forgotten.
_FORGET = 3600


def is_ordered(job: Job) -> bool:
    """Return whether a job has a place in the order of its queue."""
    return bool(job.priority != order.DEFAULT or job.fair_key)


def room(name: str, most: int, ahead: int, using: str) -> int:
    """Return how many jobs of a line are to be delivered ahead now: a few at a time, unless that is all that wait.

    Args:
        name: The name of the line.
        most: How many may be ahead.
        ahead: How many are.
        using: The alias of the database that holds the jobs.
    """
    left = most - ahead
    if left <= 0 or ahead * 2 <= most:
        return left
    slots = LimitSlot.objects.using(using).filter(limit=limits.digest(name))
    waiting = len(slots.filter(since__isnull=False).values_list('pk')[: left + 1])
    return left if waiting <= left else 0


def in_order(jobs: list[J], using: str) -> tuple[list[J], set[int]]:
    """Return the jobs that may be delivered now without coming before jobs that are to come before them.

    An urgent job is put at the front of its queue if less urgent ones are there, but not before the jobs that are as
    urgent have begun. A late one is delivered when no job waits there that is not late.

    Args:
        jobs: Jobs; or what has their `pk`, `queue_name` and `priority`.
        using: The alias of the database that holds the jobs.

    Returns:
        The jobs, and the primary keys of the urgent ones among them that come behind what is there.
    """
    may, at_back = dict[tuple[str, int], bool](), set[int]()
    for job in jobs:
        place = job.queue_name, job.priority
        if place not in may:
            may[place] = True
            queue = storable_text(job.queue_name)
            if job.priority < order.DEFAULT:
                may[place] = not line_sql.is_pending(queue, '>=', order.DEFAULT, using)
            elif job.priority > order.DEFAULT and line_sql.is_pending(queue, '<', job.priority, using):
                may[place] = job.priority > _most_urgent(job.queue_name, using)
            elif job.priority > order.DEFAULT:
                at_back |= {other.pk for other in jobs if (other.queue_name, other.priority) == place}
    return [job for job in jobs if may[job.queue_name, job.priority]], at_back


def _most_urgent(queue: str, using: str) -> int:
    """Return the highest priority among the jobs that were delivered ahead; by their slots, which are few.

    A job that was delivered at once has no slot, and so few jobs waited then that it is one of the first.
    """
    slots = LimitSlot.objects.using(using).filter(limit=limits.digest(order.line_name(queue)), queue='')
    slots = slots.filter(job__status=JobStatusChoices.STATUS_PENDING, job__held=False)
    first = Job.objects.using(using).filter(queue_name=queue, status=JobStatusChoices.STATUS_PENDING, due__isnull=False)
    priorities = first.order_by('due').values_list('priority', flat=True)[: 2 * order.AHEAD]
    return max((*slots.values_list('job__priority', flat=True), *priorities, order.DEFAULT))


def add_keys(waiting: Iterable[tuple[str, str]], using: str) -> None:
    """Give these keys of queues a turn; and the jobs without a key, which share one."""
    new = {(queue, key) for queue, name in waiting if name for key in ('', name)}
    if new:
        rows = [FairTurn(queue=queue, key=key) for queue, key in sorted(new)]
        FairTurn.objects.using(using).bulk_create(rows, ignore_conflicts=True, batch_size=500)


def note_turns(jobs: Iterable[Job], using: str) -> None:
    """Note that it was the turn of the keys of these jobs, in their order."""
    now = clock.now_ms() * 1000
    served = {(job.queue_name, job.fair_key): now + number for number, job in enumerate(jobs)}
    rows = [FairTurn(queue=queue, key=key, served=moment) for (queue, key), moment in sorted(served.items())]
    by = ['queue', 'key'] if connections[using].features.supports_update_conflicts_with_target else None
    turns = FairTurn.objects.using(using)
    turns.bulk_create(rows, update_conflicts=True, unique_fields=by, update_fields=['served'], batch_size=500)


def sweep(using: str) -> None:
    """Forget keys of which no job waits, and find keys that were forgotten while a job of theirs came."""
    turns, slots = FairTurn.objects.using(using), LimitSlot.objects.using(using).filter(since__isnull=False)
    own = slots.filter(queue=OuterRef('queue'), key=OuterRef('key'))
    turns.filter(~Exists(own), served__lt=(clock.now_ms() - _FORGET * 1000) * 1000).delete()
    known = turns.filter(queue=OuterRef('queue'), key=OuterRef('key'))
    lost: Collection[tuple[str, str]] = slots.filter(~Q(key='') & ~Exists(known)).values_list('queue', 'key')[:500]
    add_keys(lost, using)

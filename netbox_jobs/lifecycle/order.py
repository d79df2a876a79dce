"""The order within a queue: urgent jobs first, and one key after the other.

Jobs that have a priority or a key wait in the line of their queue, in the database. A few of them are delivered ahead,
and the next few when these have begun: what comes later and is more urgent, or is the first of another key, waits for
few jobs and not for all. Jobs of neither kind are delivered as ever.
"""

from collections.abc import Collection, Iterable

from django.db.models import Exists, Max, OuterRef, Q

from ..choices import JobStatusChoices
from ..core import clock, limits, order
from ..models import FairTurn, Job, LimitSlot

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


def in_order(jobs: list[Job], using: str) -> list[Job]:
    """Return the jobs that may be delivered now without coming before jobs that are to come before them.

    An urgent job is put at the front of its queue: not before the jobs that are there and as urgent have begun. A late
    one is delivered when no job waits there that has no place in the order.
    """
    pending = Job.objects.using(using).filter(status=JobStatusChoices.STATUS_PENDING, due__isnull=False)
    urgent = {job.queue_name for job in jobs if job.priority > order.DEFAULT}
    late = {job.queue_name for job in jobs if job.priority < order.DEFAULT}
    before: dict[str, int] = {}
    for name in urgent:
        there = pending.filter(queue_name=name, slotted=True, priority__gt=order.DEFAULT)
        before[name] = there.aggregate(most=Max('priority'))['most'] or 0
    busy = {name for name in late if pending.filter(queue_name=name, slotted=False).exists()}
    return [
        job
        for job in jobs
        if job.priority == order.DEFAULT
        or (job.priority > order.DEFAULT and job.priority > before[job.queue_name])
        or (job.priority < order.DEFAULT and job.queue_name not in busy)
    ]


def keys_of(key: str, queue: str, using: str, most: int) -> list[str]:
    """Return the keys of which jobs of a queue wait in a line, beginning with the one whose turn is next."""
    waiting = LimitSlot.objects.using(using).filter(limit=key, queue=queue, key=OuterRef('key'), since__isnull=False)
    turns = FairTurn.objects.using(using).filter(Exists(waiting), queue=queue)
    return list(turns.order_by('served', 'pk').values_list('key', flat=True)[:most])


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
    for (queue, key), moment in sorted(served.items()):
        turn = FairTurn.objects.using(using).filter(queue=queue, key=key)
        if not turn.update(served=moment) and key:  # the first job of this key, which did not wait
            add_keys([(queue, key)], using)
            turn.update(served=moment)


def sweep(using: str) -> None:
    """Forget keys of which no job waits, and find keys that were forgotten while a job of theirs came."""
    turns, slots = FairTurn.objects.using(using), LimitSlot.objects.using(using).filter(since__isnull=False)
    own = slots.filter(queue=OuterRef('queue'), key=OuterRef('key'))
    turns.filter(~Exists(own), served__lt=(clock.now_ms() - _FORGET * 1000) * 1000).delete()
    known = turns.filter(queue=OuterRef('queue'), key=OuterRef('key'))
    lost: Collection[tuple[str, str]] = slots.filter(~Q(key='') & ~Exists(known)).values_list('queue', 'key')[:500]
    add_keys(lost, using)

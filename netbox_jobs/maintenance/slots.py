"""Recovery of limits and signals: free slots are given to jobs in line, and jobs continue whose signal has come.

Also if the process has died that freed the slot, or sent the signal.
"""

from collections.abc import Collection

from ..choices import JobStatusChoices
from ..core import clock, transactions
from ..core.order import is_line
from ..enqueue import uniqueness
from ..lifecycle import deliver, job_signals, limits, line_up, lines, queue_limits, rates
from ..lifecycle.wait import put_back
from ..models import Job, LimitRow, database

#: A delivered job that no worker takes for so long gives its slot to a job that a worker would take, in milliseconds.
PATIENCE = 500


def heed() -> None:
    """Have jobs line up that were delivered, and get the slots that they need, when their queue was given a limit."""
    queue_limits.heed(database())


def give_slots() -> int:
    """Deliver the jobs in line for which a limit has a slot; return how many."""
    using = database()
    waiting = limits.with_line(using) if LimitRow.objects.using(using).exists() else []
    if not waiting:
        return 0
    taken = limits.with_slot([row.key for row, _queues in waiting], using)
    served = 0
    for row, queues in waiting:
        counts = row.per is None and not is_line(row.name)
        full = counts and len(taken[row.key]) >= row.most
        given = 0 if full else deliver.serve(row.name, using)
        served += given
        if full or (row.per is not None and not given):
            served += _take_back(row, queues, taken[row.key], using)
    return served


def next_room() -> int | None:
    """Return when the first of the rates for which jobs wait has room again, in milliseconds since the epoch."""
    times = [rates.free_at(row, database()) for row, _queues in limits.with_line(database(), full=True)]
    return min((time for time in times if time is not None), default=None)


def wake_signaled() -> int:
    """Have the jobs continue whose signal has come; return how many."""
    return job_signals.wake_signaled(database())


def sweep() -> None:
    """Delete what is left of limits, of unique jobs, and of signals, that no job has any more."""
    job_signals.sweep(database())
    limits.sweep(database())
    uniqueness.sweep(database())


def _take_back(row: LimitRow, queues: Collection[str], jobs: Collection[Job], using: str) -> int:
    """Have delivered jobs wait in line again that no worker takes before others which wait for their slots.

    These are jobs of a queue that is paused or that no worker serves, and jobs of a queue that comes after that of the
    others.

    Args:
        row: A limit that has no slot.
        queues: Those whose jobs wait in its line.
        jobs: Those that have a slot.
        using: The alias of the database that holds the jobs.
    """
    late, served = clock.now_ms() - PATIENCE, 0
    for job in jobs:
        others = [name for name in queues if name != job.queue_name]
        if not others or job.status != JobStatusChoices.STATUS_PENDING or (job.due or 0) >= late:
            continue
        first = _taken_before(job.queue_name, others, using)
        if first and _line_up_again(job, using):
            served += deliver.serve(row.name, using, first=first)
    return served


def _taken_before(queue: str, others: Collection[str], using: str) -> list[str]:
    """Return those of the other queues whose jobs a worker takes before the jobs of this one, or instead of them."""
    orders = lines.orders(using)
    taken = {name for order in orders for name in order}
    if queue not in lines.open_queues(using) or queue not in taken:
        return [name for name in others if name in taken]
    return [
        name
        for name in others
        if any(queue in order and name in order and order.index(name) < order.index(queue) for order in orders)
    ]


def _line_up_again(job: Job, using: str) -> bool:
    """Have a delivered job wait behind those in line."""
    job = Job.objects.using(using).get(pk=job.pk)

    def again() -> bool:
        if not put_back(job, wait=False):
            return False
        Job.objects.using(using).filter(pk=job.pk, held=True).update(due=clock.now_ms())
        return True

    if not transactions.retried(again, using):
        return False
    line_up.line_up([job], using)
    return True

"""Limits of queues that are set while workers run: the claim heeds them at once, and the queue's jobs line up.

A job of such a queue is claimed only if it was given slots, whatever the process that enqueued it knew. So a new limit
needs no process to be told. What had been delivered before lines up, and what runs is given the slots that it needs.
"""

from django.db.models import Exists, OuterRef
from django.utils import timezone

from ..choices import JobStatusChoices
from ..core import limits, transactions
from ..models import Job, LimitRow, LimitSlot, QueueLimit, database, services
from ..models.querysets import JobQuerySet
from .unlocked import PATIENCE, update_unlocked

_BATCH = 500
#: The limit of a row whose queue has none any more, until what waits there has been delivered.
_UNLIMITED = 2**31 - 1


@services.limit_queue.provide
def limit_queue(name: str, most: int | None) -> None:
    """Say how many jobs of a queue run at once from now on; see `QueueLimit.set()`."""
    using = database()
    transactions.retried(lambda: _limit(name, most, using), using)


def _limit(name: str, most: int | None, using: str) -> None:
    values = {'most': most, 'changed': timezone.now()}
    QueueLimit.objects.using(using).update_or_create(name=name, defaults=values)
    _tell_row(name, most, using)
    if most is None:
        return
    give_running_ones(name, using)
    _line_up_again(_delivered(name, using))


@services.reset_queue_limit.provide
def reset_queue_limit(name: str) -> bool:
    """Have the settings say again how many jobs of a queue run at once; see `QueueLimit.reset()`."""
    using = database()

    def reset() -> bool:
        found, _by_model = QueueLimit.objects.using(using).filter(name=name).delete()
        if found:
            _tell_row(name, limits.of_queue(name), using)
            if limits.of_queue(name) is not None:
                give_running_ones(name, using)
                _waiting(name, using).update(held=True)
                _line_up_again(_delivered(name, using))
        return bool(found)

    return transactions.retried(reset, using)


def _tell_row(name: str, most: int | None, using: str) -> None:
    """Have the row of the limit say what it allows, so that a slot more is used within a second.

    If another transaction keeps it locked, who next gives a slot does so.
    """
    rows = LimitRow.objects.using(using).filter(key=limits.digest(limits.queue_limit_name(name)))
    update_unlocked(rows, patience=PATIENCE, most=_UNLIMITED if most is None else most)


def _delivered(name: str, using: str) -> JobQuerySet[Job]:
    jobs = Job.objects.using(using).filter(queue_name=name, held=False, due__isnull=False)
    return jobs.filter(status=JobStatusChoices.STATUS_PENDING)


def _waiting(name: str, using: str) -> JobQuerySet[Job]:
    jobs = Job.objects.using(using).filter(queue_name=name, held=False, due__isnull=False)
    return jobs.filter(status=JobStatusChoices.STATUS_SCHEDULED)


def _line_up_again(jobs: JobQuerySet[Job]) -> None:
    """Have delivered jobs wait for a slot: what Redis has of them reaches a worker that finds nothing to be claimed."""
    jobs.update(status=JobStatusChoices.STATUS_SCHEDULED, held=True)


def give_running_ones(name: str, using: str) -> None:
    """Give a slot of the limit of a queue to each of its running jobs that has none: they count."""
    key = limits.digest(limits.queue_limit_name(name))
    slots = LimitSlot.objects.using(using)
    running = Job.objects.using(using).running().filter(queue_name=name)
    bare = running.filter(~Exists(slots.filter(limit=key, job_id=OuterRef('pk'))))
    new = [LimitSlot(limit=key, job_id=pk) for pk in bare.values_list('pk', flat=True)]
    slots.bulk_create(new, batch_size=_BATCH, ignore_conflicts=True)


def heed(using: str) -> None:
    """Find jobs without a slot that were begun, or may begin, at the moment when the limit of their queue was set."""
    for name in list(QueueLimit.objects.using(using).filter(most__isnull=False).values_list('name', flat=True)):
        transactions.again(lambda name=name: _heed(name, using), using)  # type: ignore[misc]


def _heed(name: str, using: str) -> None:
    give_running_ones(name, using)
    key = limits.digest(limits.queue_limit_name(name))
    own = LimitSlot.objects.using(using).filter(limit=key, job_id=OuterRef('pk'))
    bare = list(_delivered(name, using).filter(~Exists(own)).order_by('pk').values_list('pk', flat=True)[:_BATCH])
    if bare:
        _line_up_again(_delivered(name, using).filter(pk__in=bare))

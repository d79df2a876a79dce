"""Rates: how many jobs begin within a time, and how often runs may call an API, counted by rows.

A job gets a permit together with its delivery, under the lock of the rate's row. The permit counts as long as the job
may begin at any moment, and from then on until the time of the rate has passed since it began. What the row of the job
says decides: the claim itself writes `started`, so that no process has to report a start.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from django.db.models import BigIntegerField, Case, Count, Exists, OuterRef, Q, QuerySet, Value, When

from ..choices import JobStatusChoices
from ..core import clock, limits, rates
from ..core.limits import Allowance
from ..models import Job, LimitRow, RateStart, database

#: For so many milliseconds at most, a full rate is not looked at: the code may allow more by then.
LONGEST_REST = 60_000
_BATCH = 500
#: More are never given at once.
_PLENTY = 50


def allowance_of(job: Job) -> Allowance | None:
    """Return what the rate of a job allows; None if it has none."""
    if not job.rate:
        return None
    return rates.of_runner(job, Allowance(job.rate_most or 1, job.rate_per or 0))


def room(name: str, allowed: Allowance, using: str) -> int:
    """Return how many more jobs, or calls, a rate allows at this moment.

    Under the lock of the rate's row, no other process can give what is counted here. If there is no room, the row
    records until when it need not be looked at again.

    Args:
        name: The name of the rate.
        allowed: What it allows.
        using: The alias of the database that holds the jobs.
    """
    key, per = limits.digest(name), allowed.per or 0
    starts = RateStart.objects.using(using).filter(limit=key)
    open_ = Count('pk', filter=Q(until=None))
    counted = starts.aggregate(given=open_, begun=Count('pk', filter=Q(until__gt=clock.now_ms())))
    left = allowed.most - counted['given'] - counted['begun']
    if left >= _PLENTY and counted['given'] <= _BATCH:  # whatever became of the permits
        return int(left)
    waiting = _settle(list(starts.filter(until=None)), per, using)
    now = clock.now_ms()
    begun = starts.filter(until__gt=now)
    left = allowed.most - waiting - begun.count()
    if left <= 0 and not waiting:
        until = min(_free_at(begun, left) or now, now + LONGEST_REST)
        LimitRow.objects.using(using).filter(key=key).update(full_until=until)
    return left


def _free_at(begun: 'QuerySet[RateStart]', left: int) -> int | None:
    """Return when there is room again, of a rate for which `left` is no room at all."""
    return begun.order_by('until').values_list('until', flat=True)[-left : 1 - left].first()


def rests(name: str, using: str) -> bool:
    """Return whether a rate is known to be full, so that it need not be looked at."""
    if not name.startswith(rates.PREFIX):
        return False
    rows = LimitRow.objects.using(using).filter(key=limits.digest(name))
    return rows.filter(full_until__gt=clock.now_ms()).exists()


def free_at(row: LimitRow, using: str) -> int | None:
    """Return when a rate that is full has room again, as far as that is known."""
    begun = RateStart.objects.using(using).filter(limit=row.key, until__gt=clock.now_ms())
    over = begun.count() - row.most
    return _free_at(begun, -over) if over >= 0 else None


def permit(jobs: Iterable[int], names: Iterable[str], using: str) -> None:
    """Note that these jobs may begin, which counts to these rates, whose rows are locked; forget what is long past."""
    keys = [limits.digest(name) for name in names]
    starts = RateStart.objects.using(using)
    starts.filter(limit__in=keys, until__lte=clock.now_ms()).delete()
    starts.bulk_create([RateStart(limit=key, job_id=job) for job in jobs for key in keys], batch_size=_BATCH)


def withdraw(jobs: Collection[int], using: str) -> None:
    """Take back the permits of jobs that wait, and have not begun."""
    RateStart.objects.using(using).filter(job_id__in=jobs, until=None).delete()


def note_requeued(job: Job, *, began: bool) -> None:
    """Note, in the transaction that requeues a job, when it began: its row will not say so any more.

    Args:
        job: The job.
        began: Whether `run()` was called.
    """
    if not job.rate:
        return
    using = job._state.db or database()
    if not began:
        withdraw([job.pk], using)
        return
    allowed = allowance_of(job) or Allowance(1, job.rate_per or 0)
    until = _until(job.started, allowed.per or 0)
    RateStart.objects.using(using).filter(job_id=job.pk, until=None).update(until=until)


def take(name: str, allowed: Allowance, job_id: int, using: str) -> int:
    """Take a permit for a call, within a transaction that has locked the row of the rate.

    Args:
        name: The name of the rate.
        allowed: What it allows.
        job_id: The job whose run calls.
        using: The alias of the database that holds the jobs.

    Returns:
        0 if the call may be made now; else in how many milliseconds there may be room.
    """
    key, per = limits.digest(name), allowed.per or 0
    starts, now = RateStart.objects.using(using).filter(limit=key), clock.now_ms()
    begun = starts.filter(until__gt=now)
    over = begun.count() - allowed.most
    if over >= 0:
        return max(1, (_free_at(begun, -over) or now) - now)
    starts.filter(until__lte=now).delete()
    RateStart.objects.using(using).create(limit=key, job_id=job_id, until=now + per + 1)
    return 0


def _settle(permits: list[RateStart], per: int, using: str) -> int:
    """Find out which permits were used, by the rows of their jobs; those that cannot be used any more are deleted.

    Returns:
        How many are still to be used.
    """
    waiting = 0
    for first in range(0, len(permits), _BATCH):
        batch = permits[first : first + _BATCH]
        rows = Job.objects.using(using).filter(pk__in=[permit.job_id for permit in batch])
        jobs: dict[int, Any] = {pk: values for pk, *values in rows.values_list('pk', 'status', 'held', 'started')}
        void, begun = list[int](), dict[int, int]()
        for given in batch:
            status, held, started = jobs.get(given.job_id, ('', False, None))
            if status == JobStatusChoices.STATUS_PENDING and not held:
                waiting += 1
            elif status in JobStatusChoices.WAITING_STATE_CHOICES or (status and started is None):
                void.append(given.pk)
            else:  # of a job that was deleted, it is not known when it began; maybe just now
                begun[given.pk] = _until(started, per)
        own = RateStart.objects.using(using).filter(until=None)
        if void:
            own.filter(pk__in=void).delete()
        if begun:
            until = Case(*(When(pk=pk, then=Value(time)) for pk, time in begun.items()), output_field=BigIntegerField())
            own.filter(pk__in=begun).update(until=until)
    return waiting


def _until(started: datetime | None, per: int) -> int:
    # One more, as a start is later than its milliseconds say.
    return (clock.now_ms() if started is None else clock.to_ms(started)) + per + 1


def sweep(using: str) -> None:
    """Settle the permits of jobs that have ended or were deleted, and delete what counts no longer."""
    starts = RateStart.objects.using(using)
    enqueued = Job.objects.using(using).filter(
        pk=OuterRef('job_id'), status__in=JobStatusChoices.ENQUEUED_STATE_CHOICES
    )
    per = dict(LimitRow.objects.using(using).filter(per__isnull=False).values_list('key', 'per'))
    left: dict[str, list[RateStart]] = {}
    for start in starts.filter(~Exists(enqueued), until=None)[:_BATCH]:
        left.setdefault(start.limit, []).append(start)
    for key, permits in left.items():
        _settle(permits, per.get(key) or 0, using)
    starts.filter(until__lte=clock.now_ms()).delete()

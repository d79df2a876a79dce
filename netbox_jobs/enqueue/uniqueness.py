"""`Meta.unique`, `throttle` and `debounce`: under the lock of one row for each key, a job is inserted or found.

The row names the latest job. Whether that still counts is read from the job itself, so that nothing has to be given
back when it ends, is deleted, or its worker dies.
"""

from collections.abc import Callable
from typing import Any

from django.db import connections
from django.db.models import Exists, OuterRef
from django.utils import timezone

from ..choices import JobStatusChoices
from ..core import clock
from ..core.unique import Debounce, Unique
from ..core.unique import key as make_key
from ..exceptions import JobExists
from ..lifecycle.cancel import cancel
from ..models import Job, UniqueJob
from .identify import schedule_key
from .request import EnqueueRequest
from .rows import new_job
from .unsaved import call_transaction

_BATCH = 500
_FIELDS: Any = Job._meta.concrete_fields
#: What a call does not change of a job that waits for further calls.
_KEPT = ('id', 'job_id', 'created')


def insert_unique(request: EnqueueRequest, insert: Callable[[], Job], using: str, *, anyway: bool) -> Job:
    """Insert the job of a request, or return the one that is the same.

    Args:
        request: The request of a call, or of a runner, that says which jobs are the same.
        insert: Inserts its job.
        using: The alias of the database that holds the jobs.
        anyway: Whether to insert it in any case: from then on, others are compared with it.

    Raises:
        JobExists: There is one that is the same, and `on_conflict` is 'raise'.
    """
    unique, key = request.unique, _key(request)
    assert unique is not None
    with call_transaction():
        row = _lock(key, using)
        if isinstance(unique, Debounce):
            return _debounced(request, unique, insert, row, anyway=anyway)
        found = None if anyway else _same(row, unique, using)
        if found is not None:
            if unique.on_conflict == 'raise':
                raise JobExists(
                    f'Job {found.pk} ({found.name}), which is {found.status}, is the same as the one to be enqueued.',
                    found,
                )
            if unique.on_conflict == 'return' or not cancel(found, 'Another call of enqueue() replaces it.'):
                return found
        job = insert()
        until = 0 if unique.within is None else clock.now_ms() + int(unique.within.total_seconds() * 1000)
        UniqueJob.objects.using(using).filter(key=key).update(job=job.pk, until=until)
        return job


def _debounced(
    request: EnqueueRequest, debounce: Debounce, insert: Callable[[], Job], row: UniqueJob, *, anyway: bool
) -> Job:
    """Put off the job that waits for further calls, and have it do what this one asks; insert one if there is none."""
    using = row._state.db or ''
    if anyway:
        return insert()  # by hand, at once
    request.scheduled = timezone.now() + debounce.time
    job = Job.objects.using(using).filter(pk=row.job_id).first() if row.job_id else None
    if job is not None and debounce.at_most is not None:
        request.scheduled = min(request.scheduled, job.created + debounce.at_most)
    if job is not None and (changed := _change(job, request, using)) is not None:
        return changed
    request.scheduled = timezone.now() + debounce.time
    job = insert()
    UniqueJob.objects.using(using).filter(pk=row.pk).update(job=job.pk)
    return job


def _change(job: Job, request: EnqueueRequest, using: str) -> Job | None:
    """Write all that the row of a job is to hold, unless its time has come; return the object of it."""
    new = new_job(request, job_id=job.job_id)
    columns = {field.attname: getattr(new, field.attname) for field in _FIELDS if field.attname not in _KEPT}
    rows = Job.objects.using(using).filter(pk=job.pk, job_id=job.job_id, status=JobStatusChoices.STATUS_SCHEDULED)
    if not rows.filter(deliveries=0, attempt=0, due__gt=clock.now_ms()).update(**columns):
        return None
    new.pk, new.created = job.pk, job.created
    new._state.adding, new._state.db = False, using
    return new


def _key(request: EnqueueRequest) -> str:
    unique, runner = request.unique, request.kind
    assert unique is not None
    about = request.key
    if 'instance' not in unique.by:
        about = schedule_key(request.runner, None, None, '', request.tenant)
    return make_key(unique.by, about, runner.run, request.kwargs)


def _lock(key: str, using: str) -> UniqueJob:
    """Return the row of a key, made if there is none, and locked until the transaction ends."""
    rows = UniqueJob.objects.using(using)
    if not rows.filter(key=key).update(key=key):
        # One statement: see `unique._lock_schedule()`.
        by_key = ['key'] if connections[using].features.supports_update_conflicts_with_target else None
        rows.bulk_create([UniqueJob(key=key)], update_conflicts=True, unique_fields=by_key, update_fields=['key'])
    return rows.select_for_update().get(key=key)


def _same(row: UniqueJob, unique: Unique, using: str) -> Job | None:
    """Return the latest job of a key, if it still counts."""
    job = Job.objects.using(using).filter(pk=row.job_id).first() if row.job_id else None
    if job is None:
        return None
    counts = {
        'waiting': JobStatusChoices.WAITING_STATE_CHOICES,
        'running': (JobStatusChoices.STATUS_RUNNING,),
    }
    if any(job.status in counts[state] for state in unique.while_):
        return job
    return job if unique.within is not None and row.until > clock.now_ms() else None


def sweep(using: str) -> None:
    """Delete the rows whose job counts no more."""
    rows = UniqueJob.objects.using(using)
    enqueued: Any = Job.objects.using(using).filter(
        pk=OuterRef('job'), status__in=JobStatusChoices.ENQUEUED_STATE_CHOICES
    )
    over = rows.filter(~Exists(enqueued), until__lt=clock.now_ms(), job__isnull=False)
    for row in list(over[:_BATCH]):
        rows.filter(pk=row.pk, job=row.job_id).delete()  # unless another job has come in the meantime

"""A job as a document: for `--json`, and for exports. Its keys stay; moments are ISO 8601 in UTC, durations seconds."""

from typing import Any

from ..core.formatting import iso
from ..models import Job, JobStack, Progress, Schedule
from .open_transactions import OpenTransaction

Document = dict[str, Any]


def instance(row: Job | Schedule) -> str | None:
    """Return the object of a job or a schedule as `app.model:pk`; None without one."""
    if row.object_type is None:
        return None
    return f'{row.object_type.app_label}.{row.object_type.model}:{row.object_id}'


def progress(row: Progress | None) -> Document | None:
    """The progress of a run."""
    if row is None:
        return None
    return {
        'current': row.current,
        'total': row.total,
        'message': row.message,
        'percent': row.percent,
        'rate': row.rate,
        'remaining': None if row.remaining is None else row.remaining.total_seconds(),
        'updated': iso(row.updated),
    }


def job(row: Job, user: str | None, latest: Progress | None) -> Document:
    """A job, as in `jobs list`."""
    return {
        'id': row.pk,
        'job_id': str(row.job_id),
        'name': row.name,
        'runner': row.runner,
        'status': row.status,
        'queue': row.queue_name,
        'user': user,
        'instance': instance(row),
        'tenant': row.tenant,
        'created': iso(row.created),
        'scheduled': iso(row.scheduled),
        'started': iso(row.started),
        'completed': iso(row.completed),
        'execution_time': None if row.execution_time is None else row.execution_time.total_seconds(),
        'interval': row.interval,
        'schedule': row.schedule_id,
        'attempt': row.attempt,
        'retries': row.retries,
        'crashes': row.crashes,
        'retry_of': row.retry_of_id,
        'stopping': iso(row.stopping),
        'error': row.error,
        'progress': progress(latest),
    }


def stack(row: JobStack, opened: OpenTransaction | None = None) -> Document:
    """What a running job was doing."""
    return {
        'id': row.pk,
        'attempt': row.attempt,
        'requested': iso(row.requested),
        'taken': iso(row.taken),
        'stack': row.stack,
        'samples': row.samples,
        'same': row.same,
        'host': row.host,
        'pid': row.pid,
        'memory': row.memory,
        'cpu': row.cpu,
        'transaction': None if opened is None else {'open': opened.age, 'quiet': opened.quiet, 'active': opened.active},
    }

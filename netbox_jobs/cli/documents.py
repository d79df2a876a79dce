"""The JSON documents of `--json`. Their documented keys stay; moments are ISO 8601 in UTC, durations seconds."""

from collections.abc import Iterable
from typing import Any

from ..core.formatting import iso
from ..models import Job, JobAttempt, JobLogEntry, JobStep, Progress, Schedule, Worker, Workflow
from ..monitoring import related
from ..monitoring.errors import ErrorGroup
from ..monitoring.queues import QueueState
from ..monitoring.schedules import ScheduleState
from ..monitoring.workers import WorkerState

Document = dict[str, Any]


def usernames(rows: Iterable[Job | Schedule | Workflow]) -> dict[Any, str]:
    """Return the names of these rows' users by their keys, from one query."""
    return {key: user.get_username() for key, user in related.users_of(rows).items()}


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


def job_details(row: Job, worker: Worker | None, attempts: Iterable[JobAttempt], steps: Iterable[JobStep]) -> Document:
    """A job, as in `jobs show`."""
    return {
        **job(row, usernames([row]).get(row.user_id), related.progress_of([row]).get(row.pk)),
        'arguments': row.arguments_shown,
        'data': row.data,
        'job_timeout': row.job_timeout,
        'notifications': row.notifications,
        'attempts': [
            {
                'number': each.number,
                'started': iso(each.started),
                'ended': iso(each.ended),
                'error': each.error,
                'crashed': each.crashed,
            }
            for each in attempts
        ],
        'steps': [
            {
                'name': each.name,
                'attempt': each.attempt,
                'started': iso(each.started),
                'completed': iso(each.completed),
                'result': each.result_shown,
            }
            for each in steps
        ],
        'worker': None if worker is None else {'name': worker.name, 'host': worker.host, 'pid': worker.pid},
    }


def log_line(row: JobLogEntry) -> Document:
    """A log line."""
    return {'timestamp': iso(row.timestamp), 'level': row.level, 'message': row.message, 'attempt': row.attempt}


def queue(row: QueueState) -> Document:
    """A queue."""
    return {
        'name': row.name,
        'waiting': row.waiting,
        'scheduled': row.scheduled,
        'running': row.running,
        'failed': row.failed,
        'oldest': iso(row.oldest),
        'workers': row.workers,
        'paused': iso(row.paused),
    }


def error_group(row: ErrorGroup) -> Document:
    """An error with the jobs that ended with it."""
    return {
        'fingerprint': row.fingerprint,
        'runner': row.runner,
        'message': row.message,
        'jobs': row.count,
        'first': iso(row.first),
        'latest': iso(row.last),
        'newest_job': row.newest,
        'queues': row.queues,
        'new': row.new,
        'muted': row.muted,
    }


def worker(row: WorkerState, users: dict[Any, str]) -> Document:
    """A worker with the jobs that it runs. For jobs of no known worker, all other values are None."""
    known = row.worker
    return {
        'name': known.name if known else None,
        'host': known.host if known else None,
        'pid': known.pid if known else None,
        'queues': row.queues if known else None,
        'started': iso(known.started) if known else None,
        'jobs': [job(each.job, users.get(each.job.user_id), each.progress) for each in row.jobs],
    }


def schedule(state: ScheduleState, user: str | None) -> Document:
    """A schedule, with the next run, and with the job that ended last."""
    row, last = state.schedule, state.last
    return {
        'id': row.pk,
        'name': row.name,
        'runner': row.runner,
        'instance': instance(row),
        'queue': row.queue_name,
        'user': user,
        'interval': row.interval,
        'cron': row.cron,
        'timezone': row.time_zone,
        'next_run': iso(state.next_run),
        'last_run': iso(last.completed) if last else None,
        'last_status': last.status if last else None,
        'last_job': last.pk if last else None,
        'runs': row.runs,
        'paused': row.paused,
        'suspended': row.suspended,
    }

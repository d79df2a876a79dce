"""The JSON of `--json`. Its keys are documented in the README and stay; new ones may come."""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth import get_user_model
from django.db import router

from ..models import Job, JobAttempt, JobLogEntry, Progress, Schedule, Worker
from ..monitoring.stats import QueueStats, WorkerActivity
from .times import iso

Shape = dict[str, Any]


def usernames(rows: Iterable[Job | Schedule]) -> dict[Any, str]:
    """The names of these rows' users, by their keys, in one query."""
    keys = {row.user_id for row in rows if row.user_id is not None}
    model = get_user_model()
    users = model._base_manager.using(router.db_for_read(model)).in_bulk(keys) if keys else {}
    return {key: user.get_username() for key, user in users.items()}


def instance(row: Job | Schedule) -> str | None:
    """What a job or a schedule is about, as `app.model:pk`; None if about nothing."""
    if row.object_type is None:
        return None
    return f'{row.object_type.app_label}.{row.object_type.model}:{row.object_id}'


def progress(told: Progress | None) -> Shape | None:
    """How far a run is."""
    if told is None:
        return None
    return {
        'current': told.current,
        'total': told.total,
        'message': told.message,
        'percent': told.percent,
        'rate': told.rate,
        'remaining': None if told.remaining is None else told.remaining.total_seconds(),
        'updated': iso(told.updated),
    }


def job(row: Job, user: str | None, told: Progress | None) -> Shape:
    """A job, as `list` has it."""
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
        'progress': progress(told),
    }


def job_in_full(row: Job, worker: Worker | None, attempts: Iterable[JobAttempt]) -> Shape:
    """A job, as `show` has it."""
    return {
        **job(row, usernames([row]).get(row.user_id), row.progress),
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
        'worker': None if worker is None else {'name': worker.name, 'host': worker.host, 'pid': worker.pid},
    }


def line(row: JobLogEntry) -> Shape:
    """A line of a log."""
    return {'timestamp': iso(row.timestamp), 'level': row.level, 'message': row.message, 'attempt': row.attempt}


def queue(row: QueueStats) -> Shape:
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


def worker(row: WorkerActivity, users: dict[Any, str]) -> Shape:
    """A worker, with the jobs that it runs; all but these are None for jobs that no known worker runs."""
    known = row.worker
    return {
        'name': known.name if known else None,
        'host': known.host if known else None,
        'pid': known.pid if known else None,
        'queues': row.queues if known else None,
        'started': iso(known.started) if known else None,
        'jobs': [job(each.job, users.get(each.job.user_id), each.progress) for each in row.jobs],
    }


def schedule(row: Schedule, user: str | None, waiting: Job | None, last: Job | None) -> Shape:
    """A schedule, with the job of it that waits, and the one that ended last."""
    next_run = None if waiting is None or row.paused else waiting.scheduled or waiting.created
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
        'next_run': iso(next_run),
        'last_run': iso(last.completed) if last else None,
        'last_status': last.status if last else None,
        'last_job': last.pk if last else None,
        'runs': row.runs,
        'paused': row.paused,
        'suspended': row.suspended,
    }

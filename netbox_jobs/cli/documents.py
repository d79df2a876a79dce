"""The JSON documents of `--json`. Their documented keys stay; moments are ISO 8601 in UTC, durations seconds."""

from collections.abc import Iterable
from typing import Any

from ..core import clock
from ..core.formatting import iso
from ..models import Job, JobAttempt, JobLogEntry, JobStep, Schedule, Worker, Workflow
from ..monitoring import related
from ..monitoring.errors import ErrorGroup
from ..monitoring.job_documents import Document, instance, job
from ..monitoring.queues import QueueState
from ..monitoring.schedules import ScheduleState
from ..monitoring.workers import WorkerState

__all__ = ('Document', 'instance', 'job')


def usernames(rows: Iterable[Job | Schedule | Workflow]) -> dict[Any, str]:
    """Return the names of these rows' users by their keys, from one query."""
    return {key: user.get_username() for key, user in related.users_of(rows).items()}


def job_details(row: Job, worker: Worker | None, attempts: Iterable[JobAttempt], steps: Iterable[JobStep]) -> Document:
    """A job, as in `jobs show`."""
    return {
        **job(row, usernames([row]).get(row.user_id), related.progress_of([row]).get(row.pk)),
        'ran_on': row.ran_on,
        'context': row.context,
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
                'kind': each.kind,
                'attempt': each.attempt,
                'started': iso(each.started),
                'completed': iso(each.completed),
                'until': None if each.until is None else iso(clock.from_ms(each.until)),
                'timed_out': each.timed_out,
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
        'limit': row.limit,
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
        'workers': row.workers,
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

"""From the row of a job to the `TaskResult` of its task."""

import dataclasses
from datetime import datetime
from typing import Any

from ...choices import JobStatusChoices
from ...core.import_path import path_of
from ...exceptions import JobCanceled, JobFailed
from ...models import Job, JobAttempt
from .api import TasksApi, api_of
from .history import FAILED, RETURNED, workers_of

_STATUSES = {
    JobStatusChoices.STATUS_PENDING: 'READY',
    JobStatusChoices.STATUS_SCHEDULED: 'READY',
    JobStatusChoices.STATUS_RUNNING: 'RUNNING',
    JobStatusChoices.STATUS_COMPLETED: 'SUCCESSFUL',
}


def result_of(job: Job, task: Any) -> Any:
    """Return the result of a task as the row of its job shows it now.

    Args:
        job: The job.
        task: The task at the path of the job. The options of the call are taken from the row.
    """
    api = api_of(task)
    given = job.get_arguments()
    task = _as_called(task, job, given.get('using') or {})
    earlier = list(JobAttempt.objects.using(job._state.db).filter(job=job)) if job.retries or job.crashes else []
    started = [attempt.started for attempt in earlier] + ([job.started] if job.started else [])
    known: list[datetime] = [moment for moment in started if moment is not None]
    result = api.result(
        task=task,
        id=str(job.job_id),
        status=api.status[_STATUSES.get(job.status, 'FAILED')],
        enqueued_at=job.created,
        started_at=known[0] if known else None,
        finished_at=job.completed,
        last_attempted_at=known[-1] if known else None,
        args=given.get('args', []),
        kwargs=given.get('kwargs', {}),
        backend=task.backend,
        errors=_errors(job, earlier, api),
        worker_ids=workers_of(job),
    )
    if isinstance(job.data, dict) and result.status == api.status['SUCCESSFUL']:
        object.__setattr__(result, '_return_value', job.data.get(RETURNED))
    return result


def _as_called(task: Any, job: Job, using: dict[str, Any]) -> Any:
    """Return the task with the options that the call has named.

    The row counts, so it is not compared with what the settings of this process allow.
    """
    values = {field.name: getattr(task, field.name) for field in dataclasses.fields(task)}
    values |= {'priority': 0, 'backend': 'default', 'queue_name': job.queue_name, 'run_after': job.scheduled, **using}
    called = object.__new__(type(task))
    for name, value in values.items():
        object.__setattr__(called, name, value)
    return called


def _errors(job: Job, earlier: list[JobAttempt], api: TasksApi) -> list[Any]:
    """Return the error of each attempt that failed, and that of the job if it came from outside of the task."""
    data = job.data if isinstance(job.data, dict) else {}
    recorded = {found['attempt']: found for found in data.get(FAILED, ())}
    errors = {
        number: api.error(exception_class_path=found['exception_class_path'], traceback=found['traceback'])
        for number, found in recorded.items()
    }
    for attempt in earlier:
        if attempt.number not in errors:
            errors[attempt.number] = api.error(exception_class_path=path_of(JobFailed), traceback=attempt.error)
    failed = job.status in JobStatusChoices.TERMINAL_STATE_CHOICES and job.status not in _STATUSES
    if failed and job.attempt not in errors:
        kind = JobCanceled if job.status == JobStatusChoices.STATUS_CANCELED else JobFailed
        errors[job.attempt] = api.error(exception_class_path=path_of(kind), traceback=job.error)
    return [errors[number] for number in sorted(errors)]

"""Django's signals of tasks, sent when their jobs begin and end."""

import logging
from typing import Any

from ...lifecycle.announcements import receives
from ...models import Job
from ...signals import job_end, job_start
from .api import TasksApi
from .code import code_of
from .history import error_of
from .results import result_of

logger = logging.getLogger('netbox_jobs')


def send(api: TasksApi, name: str, sender: Any, result: Any) -> None:
    """Send a signal of tasks; a receiver that raises is logged."""
    for found, answer in getattr(api.signals, name).send_robust(sender, task_result=result):
        if isinstance(answer, Exception):
            logger.error('Task %s: the %s receiver %r raised.', result.id, name, found, exc_info=answer)


def _is_task(job: Job) -> bool:
    # An immediate job may have arguments that cannot be stored, and so no signature; its code was imported to call it.
    return bool(job.runner) and (not job.deliveries or job.is_signed) and code_of(job.runner) is not None


@receives(job_start, _is_task)
def _started(job: Job) -> None:
    _announce(job, 'task_started')


@receives(job_end, _is_task)
def _finished(job: Job) -> None:
    error = error_of(job)
    if error is None:
        _announce(job, 'task_finished')
        return
    traceback = error.__traceback__
    try:
        raise error
    except BaseException:
        # Within an `except` clause, as by Django's own backend: receivers report the error by `sys.exc_info()`.
        error.__traceback__ = traceback
        _announce(job, 'task_finished')


def _announce(job: Job, name: str) -> None:
    code = code_of(job.runner)
    if code is None:  # its module has been reloaded meanwhile
        return
    result = result_of(job, code.task)
    try:
        sender: Any = type(code.api.backends[result.backend])
    except Exception:  # a backend that the settings of this process do not have
        sender = type(code.task)
    send(code.api, name, sender, result)

"""Django's signals of tasks, sent when their jobs begin and end."""

import logging
from typing import Any

from django.dispatch import receiver

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


@receiver(job_start, dispatch_uid='netbox_jobs.contrib.django_tasks.started')
def _started(sender: Job, **kwargs: Any) -> None:
    _announce(sender, 'task_started')


@receiver(job_end, dispatch_uid='netbox_jobs.contrib.django_tasks.finished')
def _finished(sender: Job, **kwargs: Any) -> None:
    error = error_of(sender)
    if error is None:
        _announce(sender, 'task_finished')
        return
    traceback = error.__traceback__
    try:
        raise error
    except BaseException:
        # Within an `except` clause, as by Django's own backend: receivers report the error by `sys.exc_info()`.
        error.__traceback__ = traceback
        _announce(sender, 'task_finished')


def _announce(job: Job, name: str) -> None:
    code = code_of(job.runner) if job.runner else None
    if code is None:
        return
    result = result_of(job, code.task)
    try:
        sender: Any = type(code.api.backends[result.backend])
    except Exception:  # a backend that the settings of this process do not have
        sender = type(code.task)
    send(code.api, name, sender, result)

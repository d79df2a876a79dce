"""Django's Tasks with the RQ backend, whose results are in Redis; a receiver writes each outcome to the database."""

import sys
from typing import Any

from django_tasks.signals import task_finished  # which this backend sends, also where Django has its own

from ..models import Outcome
from ..work import write_lines

try:
    from django.tasks import task
except ImportError:
    from django_tasks import task


@task
def noop() -> bool:
    return True


@task
def lines() -> bool:
    return write_lines()


def _keep(task_result: Any, **kwargs: Any) -> None:
    Outcome.objects.create(job=str(task_result.id), status=str(task_result.status))


task_finished.connect(_keep)


def enqueue(kind: str) -> Any:
    return (noop if kind == 'noop' else lines).enqueue()


def worker() -> list[str]:
    command = [sys.executable, '-m', 'django', 'rqworker', 'default', '--verbosity', '0']
    return [*command, '--job-class', 'django_tasks_rq.Job']


def done() -> int:
    return Outcome.objects.count()

"""Django's Tasks with the database backend."""

import sys
from typing import Any

from django_tasks_db.models import DBTaskResult

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


def enqueue(kind: str) -> Any:
    return (noop if kind == 'noop' else lines).enqueue()


def worker() -> list[str]:
    return [sys.executable, '-m', 'django', 'db_worker']


def done() -> int:
    return DBTaskResult.objects.filter(status='SUCCESSFUL').count()

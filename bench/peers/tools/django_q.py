"""django-q2, with Redis; results are in the database by default."""

import sys
from typing import Any

from django_q.models import Success
from django_q.tasks import async_task

from ..work import write_lines


def noop() -> bool:
    return True


def lines() -> bool:
    return write_lines()


def enqueue(kind: str) -> Any:
    return async_task(f'{__name__}.{kind}')


def worker() -> list[str]:
    return [sys.executable, '-m', 'django', 'qcluster']


def done() -> int:
    return Success.objects.count()

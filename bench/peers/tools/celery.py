"""Celery, with Redis and django-celery-results."""

import sys
from typing import Any

from celery import Celery

from ..work import write_lines

# Its worker imports this module before Django is ready.
app = Celery('bench')
app.config_from_object('django.conf:settings', namespace='CELERY')


@app.task
def noop() -> bool:
    return True


@app.task
def lines() -> bool:
    return write_lines()


def enqueue(kind: str) -> Any:
    return (noop if kind == 'noop' else lines).delay()


def worker() -> list[str]:
    module = f'{__name__}:app'
    return [sys.executable, '-m', 'celery', '-A', module, 'worker', '--concurrency', '1', '--loglevel', 'WARNING']


def done() -> int:
    from django_celery_results.models import TaskResult

    return TaskResult.objects.filter(status='SUCCESS').count()

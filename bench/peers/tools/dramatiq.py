"""Dramatiq with Redis and django_dramatiq, which keeps a row for each message."""

import sys
from typing import Any

import dramatiq
from django_dramatiq.models import Task

from ..work import write_lines


@dramatiq.actor
def noop() -> None:
    return None


@dramatiq.actor
def lines() -> None:
    write_lines()


def enqueue(kind: str) -> Any:
    return (noop if kind == 'noop' else lines).send()


def worker() -> list[str]:
    return [sys.executable, '-m', 'django', 'rundramatiq', '--processes', '1']


def done() -> int:
    return Task.tasks.filter(status='done').count()

"""Procrastinate's Django app: the queue is the database."""

import sys
from typing import Any

from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from ..work import write_lines


@app.task(name='bench.noop')
def noop() -> bool:
    return True


@app.task(name='bench.lines')
def lines() -> bool:
    return write_lines()


def enqueue(kind: str) -> Any:
    return (noop if kind == 'noop' else lines).defer()


def worker() -> list[str]:
    return [sys.executable, '-m', 'django', 'procrastinate', 'worker']


def done() -> int:
    return ProcrastinateJob.objects.filter(status='succeeded').count()

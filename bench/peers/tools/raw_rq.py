"""RQ alone: the floor. Only what the job itself writes is in the database."""

import sys
from typing import Any

import django_rq

from ..models import Outcome
from ..work import write_lines


def noop() -> bool:
    Outcome.objects.create(job='', status='done')
    return True


def lines() -> bool:
    write_lines()
    return noop()


def enqueue(kind: str) -> Any:
    return django_rq.get_queue('default').enqueue(noop if kind == 'noop' else lines)


def worker() -> list[str]:
    return [sys.executable, '-m', 'django', 'rqworker', 'default', '--verbosity', '0']


def done() -> int:
    return Outcome.objects.count()

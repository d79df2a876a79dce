"""Huey, with its PostgreSQL storage: queue and results are tables."""

import sys
from typing import Any

from django.db import connection
from huey.contrib.djhuey import HUEY, db_task

from ..work import write_lines


@db_task()
def noop() -> bool:
    return True


@db_task()
def lines() -> bool:
    return write_lines()


def enqueue(kind: str) -> Any:
    return (noop if kind == 'noop' else lines)()


def worker() -> list[str]:
    return [sys.executable, '-m', 'django', 'run_huey', '--quiet']


def done() -> int:
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT count(*) FROM {HUEY.storage.table_kv}')
        return int(cursor.fetchone()[0])

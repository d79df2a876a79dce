"""What really happens to the rows: triggers of the database note each change of a job or a schedule, by any session.

The package has no such triggers: they exist only within `observing()`, in the database of a test.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from django.db import connection

from netbox_jobs.models import Job, Schedule

from .rows import Row

_COLUMNS = {'schedule': 'schedule_id', 'predecessor': 'predecessor_id'}
_JOB = {name: _COLUMNS.get(name, name) for name in Row._fields}
_SCHEDULE = {name: name for name in ('interval', 'cron', 'suspended')}
_TABLES = ((Job._meta.db_table, _JOB), (Schedule._meta.db_table, _SCHEDULE))
#: What builds a JSON object of names and values, by database.
_OBJECT = {'sqlite': 'json_object', 'postgresql': 'json_build_object', 'mysql': 'JSON_OBJECT'}
_KEY = {
    'sqlite': 'INTEGER PRIMARY KEY AUTOINCREMENT',
    'postgresql': 'BIGSERIAL PRIMARY KEY',
    'mysql': 'BIGINT AUTO_INCREMENT PRIMARY KEY',
}


class Event(NamedTuple):
    """A change of a row: its table and key, and its columns before and after (None: not there)."""

    table: str
    key: int
    before: Any
    after: Any


@contextmanager
def observing() -> Iterator[None]:
    """Note all changes of jobs and schedules within the block, in each process that works on this database."""
    _remove()
    with connection.cursor() as cursor:
        cursor.execute(
            f'CREATE TABLE model_event (id {_KEY[connection.vendor]}, '
            'source VARCHAR(50), changed BIGINT, old_row TEXT, new_row TEXT)'
        )
        for table, columns in _TABLES:
            for operation in ('INSERT', 'UPDATE', 'DELETE'):
                for statement in _trigger(table, columns, operation):
                    cursor.execute(statement)
    try:
        yield
    finally:
        _remove()


def events(after: int = 0) -> list[tuple[int, Event]]:
    """Return what was noted under numbers after this one, in order, each with its number.

    The number is taken under the lock of the row, so that the changes of one row are in their order.
    """
    sql = f'SELECT id, source, changed, old_row, new_row FROM model_event WHERE id > {after:d} ORDER BY id'
    connection.ensure_connection()
    cursor = connection.connection.cursor()  # the simulation asks after each step: not through Django's layers
    cursor.execute(sql)
    rows = cursor.fetchall()
    cursor.close()
    return [(number, Event(table, key, _row(table, old), _row(table, new))) for number, table, key, old, new in rows]


def forget(numbers: list[int]) -> None:
    """Delete what was noted under these numbers."""
    if numbers:
        marks = ', '.join(['%s'] * len(numbers))
        with connection.cursor() as cursor:
            cursor.execute(f'DELETE FROM model_event WHERE id IN ({marks})', numbers)


def _row(table: str, text: str | None) -> Any:
    if text is None:
        return None
    values = json.loads(text)
    return Row(**values) if table == Job._meta.db_table else values


def _trigger(table: str, columns: dict[str, str], operation: str) -> Iterator[str]:
    vendor = connection.vendor
    name, quote = f'model_{table}_{operation.lower()}', connection.ops.quote_name

    def built(row: str) -> str:
        pairs = ', '.join(f"'{key}', {row}.{quote(column)}" for key, column in columns.items())
        text = f'{_OBJECT[vendor]}({pairs})'
        return f'{text}::text' if vendor == 'postgresql' else text

    old = 'NULL' if operation == 'INSERT' else built('OLD')
    new = 'NULL' if operation == 'DELETE' else built('NEW')
    key = f'{"OLD" if operation == "DELETE" else "NEW"}.id'
    insert = f"INSERT INTO model_event (source, changed, old_row, new_row) VALUES ('{table}', {key}, {old}, {new});"
    if vendor == 'postgresql':
        yield f'CREATE FUNCTION {name}() RETURNS trigger AS $$ BEGIN {insert} RETURN NULL; END $$ LANGUAGE plpgsql'
        yield f'CREATE TRIGGER {name} AFTER {operation} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()'
    elif vendor == 'sqlite':
        yield f'CREATE TRIGGER {name} AFTER {operation} ON {table} BEGIN {insert} END'
    else:
        yield f'CREATE TRIGGER {name} AFTER {operation} ON {table} FOR EACH ROW {insert}'


def _remove() -> None:
    with connection.cursor() as cursor:
        for table, _columns in _TABLES:
            for operation in ('insert', 'update', 'delete'):
                name = f'model_{table}_{operation}'
                if connection.vendor == 'postgresql':
                    cursor.execute(f'DROP FUNCTION IF EXISTS {name}() CASCADE')
                else:
                    cursor.execute(f'DROP TRIGGER IF EXISTS {name}')
        cursor.execute('DROP TABLE IF EXISTS model_event')

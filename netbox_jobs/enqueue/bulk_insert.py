"""Many new rows of jobs at once. Most of their columns say the same in all of them, and are sent and prepared once."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import connections
from django.db.models.sql import InsertQuery

from ..models.jobs import Job

#: So many rows go into one INSERT.
BATCH = 500


def insert(jobs: Sequence[Job], using: str) -> None:
    """`bulk_create()`, within a transaction, for a database that returns rows from it."""
    connection = connections[using]
    for first in range(0, len(jobs), BATCH):
        batch = jobs[first : first + BATCH]
        columns = [(field, [field.pre_save(job, True) for job in batch]) for field in _fields()]
        columns = [(field, values) for field, values in columns if any(value is not None for value in values)]
        if connection.vendor == 'postgresql' and len(batch) > 1:
            keys = _insert_unnested(columns, using)
        else:
            keys = _insert_rows([field for field, _values in columns], batch, using)
        for job in batch:
            job.pk, job._state.adding, job._state.db = keys[job.job_id], False, using


def _fields() -> list[Any]:
    return [field for field in Job._meta.concrete_fields if not field.primary_key]


def _insert_unnested(columns: list[tuple[Any, list[Any]]], using: str) -> dict[UUID, Any]:
    """One parameter for each column: the value that all rows have, or an array."""
    connection = connections[using]
    quote = connection.ops.quote_name
    shown, arrays, constants, lists = [], [], [], []
    for field, values in columns:
        # Without its parameters, as a cast to varchar(30) would cut what is longer, instead of refusing it.
        kind = field.db_type(connection).split('(')[0]
        if all(_are_same(value, values[0]) for value in values):
            shown.append(f'%s::{kind}')
            constants.append(field.get_db_prep_save(values[0], connection))
        else:
            shown.append(f'rows.{quote(field.column)}')
            arrays.append((f'%s::{kind}[]', quote(field.column)))
            lists.append([field.get_db_prep_save(value, connection) for value in values])
    names = ', '.join(quote(field.column) for field, _values in columns)
    rows = ', '.join(array for array, _name in arrays), ', '.join(name for _array, name in arrays)
    # Of quoted names of our own tables and columns; values are parameters.
    text = (
        f'INSERT INTO {quote(Job._meta.db_table)} ({names}) SELECT {", ".join(shown)} '  # nosec B608
        f'FROM UNNEST({rows[0]}) AS rows({rows[1]}) RETURNING job_id, id'
    )
    with connection.cursor() as cursor:
        cursor.execute(text, [*constants, *lists])
        return dict(cursor.fetchall())


def _are_same(value: Any, other: Any) -> bool:
    if isinstance(value, dict):  # in which 1, 1.0 and True are equal, and not the same
        return repr(value) == repr(other)
    return type(value) is type(other) and bool(value == other)


def _insert_rows(fields: list[Any], jobs: Sequence[Job], using: str) -> dict[UUID, Any]:
    keys: dict[UUID, Any] = {}
    size = max(1, connections[using].ops.bulk_batch_size(fields, jobs))
    for first in range(0, len(jobs), size):
        batch = jobs[first : first + size]
        query: Any = InsertQuery(Job)
        query.insert_values(fields, batch)
        rows: Any = query.get_compiler(using=using).execute_sql([Job._meta.pk])
        keys.update((job.job_id, pk) for job, (pk,) in zip(batch, rows, strict=True))
    return keys

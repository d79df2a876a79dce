"""The INSERT of a new job with cached SQL, because building it takes longer than running it."""

from functools import lru_cache
from typing import Any

from django.db import connections, transaction
from django.db.models.signals import post_save, pre_save
from django.db.models.sql import InsertQuery

from . import cached_sql
from .jobs import Job

# The SQL, and the fields whose values it takes; by the database and the fields that have values of their own. None
# where Django makes something else of them.
_made: dict[Any, tuple[str, tuple[str, ...]] | None] = {}


def insert(job: Job, using: str) -> None:
    """Insert a new job, all of whose related objects are saved, as its `save()` does, with the signals of that.

    Benchmark row: `enqueue, no instance`.
    """
    message: dict[str, Any] = {'sender': Job, 'instance': job, 'raw': False, 'using': using, 'update_fields': None}
    pre_save.send(**message)
    with transaction.mark_for_rollback_on_error(using=using):
        job.pk = _insert(job, using)
    job._state.db, job._state.adding = using, False
    post_save.send(created=True, **message)


def _insert(job: Job, using: str) -> Any:
    """Insert the row, and return its key."""
    connection, values = connections[using], vars(job)
    own = tuple(
        [
            name
            for name, default in _defaults()
            if (value := values[name]) is not default and (value != default or type(value) is not type(default))
        ]
    )
    shape = (using, connection.vendor, *own)
    if shape not in _made:
        _made[shape] = _make(job, own, using)
    if (made := _made[shape]) is None:
        return _compiler(job, _fields(), using).execute_sql([Job._meta.pk])[0][0]
    text, names = made
    given = [cached_sql.prepared(name, values[name], connection) for name in names]
    return cached_sql.execute(connection, text, given, lambda cursor: cursor.fetchone()[0])


def _make(job: Job, own: tuple[str, ...], using: str) -> tuple[str, tuple[str, ...]] | None:
    """Have Django make the SQL; on PostgreSQL, defaults become a part of its text."""
    connection: Any = connections[using]
    if not connection.features.can_return_columns_from_insert:
        return None
    empty = {name for name, default in _defaults() if default is None} - set(own)
    fields = [field for field in _fields() if field.attname not in empty]
    names = [field.attname for field in fields]
    compiler = _compiler(job, fields, using)
    compiler.returning_fields = [Job._meta.pk]
    ((text, parameters),) = compiler.as_sql()
    parts = text.split('%s')
    given = [cached_sql.prepared(name, getattr(job, name), connection) for name in names]
    # Unless Django passes on exactly what we would, it is left to it.
    same = all(made == value or repr(made) == repr(value) for made, value in zip(parameters, given, strict=True))
    if not same or len(parts) != len(names) + 1:
        return None
    if connection.vendor != 'postgresql':
        return text, tuple(names)
    marks = [
        '%s' if name in own else cached_sql.literal(value, connection) for name, value in zip(names, given, strict=True)
    ]
    return ''.join(part + mark for part, mark in zip(parts, [*marks, ''], strict=True)), own


def _compiler(job: Job, fields: list[Any], using: str) -> Any:
    query: Any = InsertQuery(Job)
    query.insert_values(fields, [job])
    return query.get_compiler(using=using)


@lru_cache
def _fields() -> list[Any]:
    return [field for field in Job._meta.concrete_fields if not field.primary_key]


@lru_cache
def _defaults() -> list[tuple[str, Any]]:
    """Return each field with the value that most new rows have in it."""
    return [(field.attname, ... if _varies(field) else field.get_default()) for field in _fields()]


def _varies(field: Any) -> bool:
    return field.has_default() and callable(field.default) and field.default not in (dict, list)

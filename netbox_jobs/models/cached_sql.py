"""Cached SQL of the statements that run with every job: building it takes longer than running it."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, TypeVar
from uuid import UUID

from django.db import connections, models, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.base import ModelState
from django.db.models.signals import post_init, pre_init
from django.db.models.sql import UpdateQuery

from . import planned_sql
from .jobs import Job
from .text import CharField, IdentityField, TextField

T = TypeVar('T')

#: Seconds for which the end of a run waits while another transaction keeps the row of its job locked.
PATIENCE = 1
# By what the SQL depends on; None where it cannot be used again.
_texts: dict[Any, str | None] = {}
_converters: dict[str, list[tuple[str, list[Any], Any]]] = {}
# The fields that pass on values of these types unchanged, which Django finds out in many steps: on every database, and
# on PostgreSQL. (Text that is not ASCII may be more than a table of MariaDB holds.)
_PLAIN: dict[Any, Any] = {
    CharField: str, IdentityField: str, TextField: str, models.PositiveIntegerField: int, models.BigIntegerField: int,
}  # fmt: skip
_NATIVE: dict[Any, Any] = {models.UUIDField: UUID, models.DurationField: timedelta, models.DateTimeField: datetime}


def update(using: str, values: dict[str, Any], conditions: dict[str, Any], *, patient: bool = True) -> int:
    """`Job.objects.using(using).filter(**conditions).update(**values)`, for plain values and conditions.

    Args:
        using: The alias of the database.
        values: What is written.
        conditions: Those of the rows.
        patient: Whether to wait for as long as another transaction keeps the row locked; see `impatient()`.
    """
    connection = connections[using]
    made = made_ready(connection, values, conditions)
    if made is None:
        return int(Job.objects.using(using).filter(**conditions).update(**values))
    text, given = made
    text = text if patient else impatient(text, connection)
    return execute(connection, text, given, lambda cursor: int(cursor.rowcount))


def impatient(text: str, connection: Any) -> str:
    """Have an UPDATE fail that has waited for `PATIENCE` for a locked row; see `lifecycle.unlocked.is_locked()`.

    On PostgreSQL, the limit stays until the end of the transaction, which is that of the statement in autocommit.
    """
    if connection.vendor == 'postgresql':
        return f"{text} AND (SELECT set_config('lock_timeout', '{PATIENCE}s', true)) IS NOT NULL"
    if connection.vendor == 'mysql' and connection.mysql_is_mariadb:
        return f'SET STATEMENT innodb_lock_wait_timeout = {PATIENCE} FOR {text}'
    return text


def execute(connection: BaseDatabaseWrapper, text: str, parameters: list[Any], result: Callable[[Any], T]) -> T:
    """Execute a statement and return what `result` makes of the cursor."""
    if connection.vendor == 'postgresql' and not connection.in_atomic_block and connection.get_autocommit():
        return planned_sql.execute(connection, text, parameters, result)
    with transaction.mark_for_rollback_on_error(using=connection.alias), connection.cursor() as cursor:
        cursor.execute(text, parameters)
        return result(cursor)


def made_ready(connection: Any, values: dict[str, Any], conditions: dict[str, Any]) -> tuple[str, list[Any]] | None:
    """The SQL and the parameters of such an UPDATE; None if it is for Django to make."""
    shape = (connection.alias, connection.vendor, *conditions, *values, *[value is None for value in values.values()])
    # A condition that is None, as the key of a row that has been deleted, fits no row, and Django knows that.
    text = None if None in conditions.values() else _texts.get(shape, '')
    if text is None:
        return None
    try:
        given = [prepared(name, value, connection) for name, value in values.items() if value is not None]
        given += [prepared(name, conditions[name], connection) for name in sorted(conditions)]
    except LookupError:  # no field, but a lookup
        _texts[shape] = None
        return None
    text = text or _texts.setdefault(shape, _made(connection, values, conditions, given))
    return None if text is None else (text, given)


def prepared(name: str, value: Any, connection: Any) -> Any:
    """The value of a field of `Job` as the database is given it.

    Raises:
        LookupError: There is no such field.
    """
    field, plain, native = _fields()[name]
    if value is None:
        return value
    if type(value) is plain and (plain is not str or connection.vendor != 'mysql' or value.isascii()):
        return value
    if type(value) is native and connection.vendor == 'postgresql' and getattr(value, 'tzinfo', UTC) is not None:
        return value
    return field.get_db_prep_save(value, connection)


@lru_cache
def _fields() -> dict[str, tuple[Any, Any, Any]]:
    fields: Any = Job._meta._forward_fields_map  # type: ignore[attr-defined]
    return {name: (field, _PLAIN.get(type(field)), _NATIVE.get(type(field))) for name, field in fields.items()}


def loaded(row: Any, known: dict[str, Any], connection: Any) -> Job:
    """The job of a row, as a query would give it.

    Args:
        row: The values of `columns()`.
        known: Those of the other columns.
        connection: The connection that it came by.
    """
    names = names_but(frozenset(known))
    values = dict(zip(names, row, strict=True), **known)
    for name, functions, expression in converters(connection):
        if name not in known:
            for convert in functions:
                values[name] = convert(values[name], expression, connection)
    if pre_init.has_listeners(Job) or post_init.has_listeners(Job) or router.routers:
        every = names_but(frozenset())
        return Job.from_db(connection.alias, every, [values[name] for name in every])
    # What Django does then: a tenth of a short job goes into setting the attributes one by one.
    job = Job.__new__(Job)
    job.__dict__.update(values, _state=ModelState())
    job._state.adding, job._state.db = False, connection.alias
    return job


def converters(connection: Any) -> list[tuple[str, list[Any], Any]]:
    """The columns whose values a query converts, and by what."""
    key = f'{connection.alias} {connection.vendor}'
    if key not in _converters:
        _converters[key] = list(_find_converters(connection))
    return _converters[key]


@lru_cache
def names_but(known: frozenset[str]) -> list[str]:
    """The names of all columns but these."""
    return [field.attname for field in Job._meta.concrete_fields if field.attname not in known]


def columns(known: Iterable[str], connection: Any) -> str:
    """All columns but those that are known, for `loaded()`."""
    fields: Any = Job._meta._forward_fields_map  # type: ignore[attr-defined]
    quote = connection.ops.quote_name
    return ', '.join(quote(str(fields[name].column)) for name in names_but(frozenset(known)))


def literal(value: Any, connection: Any) -> str:
    """A value as PostgreSQL has it written in SQL with parameters."""
    return str(connection.ops.compose_sql('%s', [value])).replace('%', '%%')


def by_key(text: str, connection: Any) -> str:
    """Have PostgreSQL find the row of a statement by its key, and look at its status and its time then.

    Its statistics may know of no job that waits, as when they were made while the queue was empty. It then takes an
    index on the status for as good as that of the key, and reads all jobs that wait, for each of them.
    """
    if connection.vendor != 'postgresql':
        return text
    quote = connection.ops.quote_name
    for column in ('status', 'due'):
        condition = f'{quote(Job._meta.db_table)}.{quote(column)} = %s'
        text = text.replace(condition, f'({condition}) IS TRUE')  # which no index answers
    return text


def _made(connection: Any, values: dict[str, Any], conditions: dict[str, Any], given: list[Any]) -> str | None:
    query: Any = Job.objects.using(connection.alias).filter(**conditions).query.chain(UpdateQuery)
    query.add_update_values(values)
    text: Any
    text, parameters = query.get_compiler(using=connection.alias).as_sql()
    parts = text.split('%s')
    if len(parts) == len(parameters) + 1:  # NULL is written out, which is the same whatever Django makes of None
        marks = ['NULL' if value is None else '%s' for value in parameters]
        text = ''.join(part + mark for part, mark in zip(parts, [*marks, ''], strict=True))
    # Unless Django passes on exactly what we would, it is left to it.
    passed_on = [_comparable(value) for value in parameters if value is not None]
    return by_key(str(text), connection) if passed_on == [_comparable(value) for value in given] else None


def _comparable(value: Any) -> Any:
    """The value; of psycopg's wrapper of JSON, which equals itself only, what it wraps and how."""
    return (type(value), value.obj, value.dumps) if hasattr(value, 'obj') and hasattr(value, 'dumps') else value


def _find_converters(connection: Any) -> Any:
    for field in Job._meta.concrete_fields:
        expression: Any = field.get_col(Job._meta.db_table)
        functions = [*connection.ops.get_db_converters(expression), *expression.get_db_converters(connection)]
        if functions:
            yield field.attname, functions, expression

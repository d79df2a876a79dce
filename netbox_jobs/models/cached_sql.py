"""Cached SQL of the statements that run with every job: building it takes longer than running it."""

from typing import Any

from django.db import connections, models, transaction
from django.db.models.sql import UpdateQuery

from .jobs import Job

# By what the SQL depends on; None where it cannot be used again.
_texts: dict[Any, str | None] = {}
_converters: dict[str, list[tuple[int, list[Any], Any]]] = {}
# The fields that pass on values of these types unchanged, on every database.
_PLAIN = {models.CharField: str, models.TextField: str, models.PositiveIntegerField: int, models.BigIntegerField: int}


def update(using: str, values: dict[str, Any], conditions: dict[str, Any]) -> int:
    """`Job.objects.using(using).filter(**conditions).update(**values)`, for plain values and conditions."""
    made = made_ready(using, values, conditions)
    if made is None:
        return int(Job.objects.using(using).filter(**conditions).update(**values))
    with transaction.mark_for_rollback_on_error(using=using), connections[using].cursor() as cursor:
        cursor.execute(*made)
        return int(cursor.rowcount)


def made_ready(using: str, values: dict[str, Any], conditions: dict[str, Any]) -> tuple[str, list[Any]] | None:
    """The SQL and the parameters of such an UPDATE; None if it is for Django to make."""
    shape = (using, connections[using].vendor, *conditions, *((name, value is None) for name, value in values.items()))
    # A condition that is None, as the key of a row that has been deleted, fits no row, and Django knows that.
    text = None if None in conditions.values() else _texts.get(shape, '')
    if text is None:
        return None
    try:
        connection = connections[using]
        given = [prepared(name, value, connection) for name, value in (*values.items(), *sorted(conditions.items()))]
    except LookupError:  # no field, but a lookup
        _texts[shape] = None
        return None
    given = [value for value in given if value is not None]
    text = text or _texts.setdefault(shape, _made(using, values, conditions, given))
    return None if text is None else (text, given)


def prepared(name: str, value: Any, connection: Any) -> Any:
    """The value of a field of `Job` as the database is given it.

    Raises:
        LookupError: There is no such field.
    """
    field: Any = Job._meta._forward_fields_map[name]  # type: ignore[attr-defined]
    # Most values are given as they are, which Django finds out in many steps.
    if value is None or type(value) is _PLAIN.get(type(field)):
        return value
    return field.get_db_prep_save(value, connection)


def loaded(row: Any, using: str) -> Job:
    """The job of a row with all columns, as a query would give it."""
    connection = connections[using]
    values = list(row)
    key = f'{using} {connection.vendor}'
    if key not in _converters:
        _converters[key] = list(_find_converters(using))
    for place, functions, expression in _converters[key]:
        for convert in functions:
            values[place] = convert(values[place], expression, connection)
    return Job.from_db(using, [field.attname for field in Job._meta.concrete_fields], values)


def columns(using: str) -> str:
    """All columns, for `loaded()`."""
    quote = connections[using].ops.quote_name
    return ', '.join(quote(str(field.column)) for field in Job._meta.concrete_fields)


def _made(using: str, values: dict[str, Any], conditions: dict[str, Any], given: list[Any]) -> str | None:
    query: Any = Job.objects.using(using).filter(**conditions).query.chain(UpdateQuery)
    query.add_update_values(values)
    text: Any
    text, parameters = query.get_compiler(using=using).as_sql()
    parts = text.split('%s')
    if len(parts) == len(parameters) + 1:  # NULL is written out, which is the same whatever Django makes of None
        marks = ['NULL' if value is None else '%s' for value in parameters]
        text = ''.join(part + mark for part, mark in zip(parts, [*marks, ''], strict=True))
    # Unless Django passes on exactly what we would, it is left to it.
    return str(text) if [value for value in parameters if value is not None] == given else None


def _find_converters(using: str) -> Any:
    connection = connections[using]
    for place, field in enumerate(Job._meta.concrete_fields):
        expression: Any = field.get_col(Job._meta.db_table)
        functions = [*connection.ops.get_db_converters(expression), *expression.get_db_converters(connection)]
        if functions:
            yield place, functions, expression

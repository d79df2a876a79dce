"""Queries that cost the same whatever the number of jobs: counts up to a limit, and the values in an index."""

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any, TypeVar

from django.db import connections
from django.db.models import QuerySet

from ..models import Job, database
from ..models.text import restored

K = TypeVar('K')

#: How many columns a statement has at most. SQLite's limit is 2,000, PostgreSQL's 1,664.
_COLUMNS = 500
#: What stands for the key in a statement that is made for all keys; no row has it.
_NO_KEY: Any = -1


def counts(queries: Mapping[K, 'QuerySet[Any]'], limit: int) -> dict[K, int]:
    """Count the rows of each query up to `limit` + 1, in one statement for each few hundred queries.

    Args:
        queries: Queries by any key; an index must serve each of them.
        limit: How many rows are counted; one more means that there are more.
    """
    limited = {key: rows.order_by().values('pk')[: limit + 1] for key, rows in queries.items()}
    return {key: int(number) for key, number in _scalars(limited, '(SELECT COUNT(*) FROM ({sql}) q{number})').items()}


def firsts(queries: 'Mapping[K, QuerySet[Any, Any]]') -> dict[K, Any]:
    """Return the value of the first row of each query, None without one, in one statement for each few hundred queries.

    Args:
        queries: Queries by any key, of one value each, in the order of an index.
    """
    return _scalars({key: rows[:1] for key, rows in queries.items()}, '({sql})')


def firsts_by_key(keys: Iterable[K], query: 'Callable[[K], QuerySet[Any, Any]]', no_key: Any = _NO_KEY) -> dict[K, Any]:
    """Return the value of the first row of one query for each key, as `firsts()` does; Django makes its SQL once.

    Args:
        keys: Primary keys, or other keys that all are of one type.
        query: The query for a key, which compares columns with the key.
        no_key: A value of this type that is no key, and that the query compares nothing with.
    """
    using = database()
    sql, values = query(no_key)[:1].using(using).query.get_compiler(using).as_sql()
    found: dict[K, Any] = {}
    pending = iter(keys)
    while batch := list(islice(pending, _COLUMNS)):
        params: list[Any] = [key if value == no_key else value for key in batch for value in values]
        with connections[using].cursor() as cursor:
            cursor.execute(f'SELECT {", ".join([f"({sql})"] * len(batch))}', params)
            found.update(zip(batch, cursor.fetchone(), strict=True))
    return found


def _scalars(queries: 'Mapping[K, QuerySet[Any, Any]]', template: str) -> dict[K, Any]:
    using = database()
    found: dict[K, Any] = {}
    pending = iter(queries.items())
    while batch := list(islice(pending, _COLUMNS)):
        parts: list[str] = []
        params: list[Any] = []
        for number, (_key, rows) in enumerate(batch):
            sql, values = rows.using(using).query.get_compiler(using).as_sql()
            parts.append(template.format(sql=sql, number=number))
            params += values
        with connections[using].cursor() as cursor:
            cursor.execute(f'SELECT {", ".join(parts)}', params)
            found.update(zip((key for key, _rows in batch), cursor.fetchone(), strict=True))
    return found


def groups(queries: 'Mapping[K, QuerySet[Any, Any]]') -> dict[K, dict[tuple[Any, ...], int]]:
    """Count the rows of each query by the values of its columns, in one statement.

    Args:
        queries: Queries of a few values each, sliced: so many rows are read at most, in the order of an index.
    """
    using = database()
    keys, parts, params = list(queries), [], []
    for number, rows in enumerate(queries.values()):
        sql, values = rows.using(using).query.get_compiler(using).as_sql()
        columns = ', '.join(connections[using].ops.quote_name(name) for name in rows.query.values_select)
        # Of statements that Django has made; values are parameters.
        parts.append(f'SELECT {number}, {columns}, COUNT(*) FROM ({sql}) q{number} GROUP BY {columns}')  # nosec B608
        params += values
    found: dict[K, dict[tuple[Any, ...], int]] = {key: {} for key in keys}
    with connections[using].cursor() as cursor:
        cursor.execute(' UNION ALL '.join(parts), params)
        for number, *group, count in cursor.fetchall():
            found[keys[number]][tuple(restored(each) if isinstance(each, str) else each for each in group)] = count
    return found


def values(field: str, limit: int = 200, *, empty: bool = True) -> list[Any]:
    """Return the different values of a column that an index begins with, in order, reading one entry for each.

    Args:
        field: The name of a field of `Job`.
        limit: How many values at most.
        empty: False to leave out the empty text, for an index that does not have it.
    """
    connection = connections[database()]
    table = connection.ops.quote_name(Job._meta.db_table)
    column = connection.ops.quote_name(str(Job._meta.get_field(field).column))  # type: ignore[union-attr]
    # DISTINCT would read the whole index, and PostgreSQL has no MIN of UUIDs, which keys of users may be.
    # Of quoted names of our own table and columns; the limit is a parameter.
    also = '' if empty else f" AND {column} > ''"
    first = f'(SELECT {column} FROM {table} WHERE {column} {{beyond}}{also} ORDER BY {column} LIMIT 1)'  # nosec B608
    sql = (
        f'WITH RECURSIVE found (value, number) AS (SELECT {first.format(beyond="IS NOT NULL")}, 1 UNION ALL '  # nosec B608
        f'SELECT {first.format(beyond="> found.value")}, found.number + 1 FROM found '
        f'WHERE found.value IS NOT NULL AND found.number < %s) SELECT value FROM found WHERE value IS NOT NULL'
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [limit])
        return [restored(value) if isinstance(value, str) else value for (value,) in cursor.fetchall()]

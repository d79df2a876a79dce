"""Writes that wait for no transaction of others: neither the loop of a worker nor recovery stands still beside one."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import Error as DBError
from django.db import OperationalError, connections, router, transaction
from django.db.models import QuerySet
from django.db.models.lookups import Exact
from django.db.models.sql import UpdateQuery
from django.db.models.sql.where import AND

from ..models import cached_sql

logger = logging.getLogger('netbox_jobs')

#: Seconds for which a worker tries to write to a row that is locked: short transactions have released it by then.
PATIENCE = 0.3
_LOCK_NOT_AVAILABLE = '55P03'
_LOCK_WAIT_TIMEOUT = 1205


def update_unlocked(rows: QuerySet[Any], *, patience: float = 0, **values: Any) -> int:
    """Update those of the rows that no other transaction has locked; return how many.

    MariaDB updates none if one of them is locked. On SQLite, which has one lock, this is a plain UPDATE.

    Args:
        rows: The rows, by conditions on their own columns.
        patience: Seconds for which to try again while there are such rows, and none can be updated.
        **values: What is written.
    """
    give_up, pause = time.monotonic() + patience, 0.005
    while not (updated := _update(rows, values)) and time.monotonic() < give_up and rows.exists():
        time.sleep(pause)
        pause = min(pause * 2, 0.1)
    return updated


def made_without_waiting(query: Any, using: str) -> tuple[str, Any]:
    """Return the SQL of an UPDATE that leaves the rows which another transaction has locked, and its parameters.

    On MariaDB, it fails if there is one.

    Args:
        query: Django's query.
        using: The alias of the database.

    Raises:
        EmptyResultSet: No row can fulfil the conditions.
    """
    connection: Any = connections[using]
    compiler, model = query.get_compiler(using=using), query.model
    text, parameters = compiler.as_sql()
    if connection.vendor == 'postgresql':
        table, key = (connection.ops.quote_name(name) for name in (model._meta.db_table, model._meta.pk.column))
        conditions, _parameters = compiler.compile(query.where)
        changes = text.removesuffix(f' WHERE {conditions}')
        assert changes != text
        if one := _names_one(query):
            conditions = cached_sql.by_key(conditions, connection)
        # By its values, so that this is read once, and before anything is written. One value, where there is one: of an
        # array PostgreSQL assumes that it is so long that a table which seems to be small is read whole.
        free = f'SELECT {table}.{key} FROM {table} WHERE {conditions} FOR UPDATE SKIP LOCKED'  # nosec B608
        text = f'{changes} WHERE {table}.{key} = {f"({free})" if one else f"ANY(ARRAY({free}))"}'
    elif connection.vendor == 'mysql' and connection.mysql_is_mariadb:
        text = f'SET STATEMENT innodb_lock_wait_timeout = 0 FOR {text}'
    return text, parameters


def _names_one(query: Any) -> bool:
    """Whether the conditions name one row by a column that is unique."""
    where = query.where
    lookups = [each for each in where.children if isinstance(each, Exact)]
    unique = any(getattr(getattr(each.lhs, 'target', None), 'unique', False) for each in lookups)
    return bool(unique and where.connector == AND and not where.negated)


@contextmanager
def waiting_at_most(seconds: int, using: str) -> Iterator[None]:
    """Run the block in a transaction in which no statement waits for a lock for longer.

    Raises:
        OperationalError: One did; see `is_locked()`.
    """
    vendor = connections[using].vendor
    if vendor == 'mysql':
        _execute(f'SET @netbox_jobs = @@innodb_lock_wait_timeout, SESSION innodb_lock_wait_timeout = {seconds}', using)
    try:
        with transaction.atomic(using=using):
            if vendor == 'postgresql':
                _execute(f"SET LOCAL lock_timeout = '{seconds}s'", using)
            yield
    finally:
        if vendor == 'mysql':
            with suppress(DBError):  # the session is gone
                _execute('SET SESSION innodb_lock_wait_timeout = @netbox_jobs', using)


@contextmanager
def unless_locked(using: str, what: str, *, seconds: int = 1) -> Iterator[None]:
    """Run the block in a transaction of its own; roll it back if a lock is in its way for longer than this.

    It is done the next time that recovery looks.

    Args:
        using: The alias of the database.
        what: What is locked then, for the log.
        seconds: How long each statement waits.
    """
    try:
        with waiting_at_most(seconds, using):
            yield
    except OperationalError as error:
        if not is_locked(error):
            raise
        logger.info('%s is locked by another transaction; recovery tries again.', what)


def wait_again(using: str) -> None:
    """Have the statements of this transaction that follow wait for locks as the project's session does."""
    if connections[using].vendor == 'postgresql':  # see `cached_sql.impatient()`
        _execute('SET LOCAL lock_timeout TO DEFAULT', using)


def is_locked(error: BaseException) -> bool:
    """Return whether a statement failed because another transaction has locked what it needs."""
    cause: Any = error.__cause__ or error
    return getattr(cause, 'sqlstate', None) == _LOCK_NOT_AVAILABLE or cause.args[:1] == (_LOCK_WAIT_TIMEOUT,)


def _update(rows: QuerySet[Any], values: dict[str, Any]) -> int:
    using = rows._db or router.db_for_write(rows.model)  # type: ignore[attr-defined]
    query: Any = rows.order_by().query.chain(UpdateQuery)
    query.add_update_values(values)
    try:
        text, parameters = made_without_waiting(query, using)
    except EmptyResultSet:
        return 0
    # What it fails with is no matter to the transaction, if it was a lock: nothing was done.
    try:
        with connections[using].cursor() as cursor:
            cursor.execute(text, parameters)
            return max(cursor.rowcount, 0)
    except OperationalError as error:
        if connections[using].vendor == 'mysql' and is_locked(error):
            return 0
        raise


def _execute(text: str, using: str) -> None:
    with connections[using].cursor() as cursor:
        cursor.execute(text)

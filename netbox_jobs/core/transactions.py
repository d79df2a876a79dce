"""Transactions of our own: what they read is the latest, and a conflict with another one is tried again."""

import logging
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from django.db import OperationalError, connections, transaction

logger = logging.getLogger('netbox_jobs')
T = TypeVar('T')

#: How often an operation is tried before its conflict with others is the caller's.
TRIES = 10
#: The same where SQLite had no turn within its `timeout`: each try waits for as long.
TRIES_WITH_SQLITE = 3
#: Serialization failure and deadlock of PostgreSQL; deadlock, and "record has changed" of MariaDB.
_STATES = {'40001', '40P01'}
_NUMBERS = {1020, 1213}


@contextmanager
def transacting(using: str, *, savepoint: bool = True) -> Iterator[None]:
    """Run the block in a transaction, or within the caller's.

    One of our own is READ COMMITTED, whatever the project sets: we decide under row locks, by what the rows say once
    we have the lock. A snapshot from before would fail, or show what is no longer so. In the caller's transaction, the
    caller's isolation counts.
    """
    own = is_outermost(using)
    with transaction.atomic(using=using, savepoint=savepoint):
        if own and has_snapshots(using):
            with connections[using].cursor() as cursor:
                cursor.execute('SET TRANSACTION ISOLATION LEVEL READ COMMITTED')
        yield


def retried(operation: Callable[[], T], using: str) -> T:
    """Call an operation in a transaction; call it again if it was the victim of a conflict with another transaction.

    Within a transaction of the caller, which the conflict has ended, the conflict is raised.

    Raises:
        OperationalError: The conflict of the last try, or that of the caller's transaction.
    """

    def transact() -> T:
        with transacting(using):
            return operation()

    return again(transact, using)


def again(operation: Callable[[], T], using: str) -> T:
    """Call an operation that makes its own transaction as `retried()` does."""
    tries = TRIES if is_outermost(using) else 1
    for number in range(1, tries + 1):
        try:
            return operation()
        except OperationalError as error:
            if number == tries or not (is_conflict(error) or (number < TRIES_WITH_SQLITE and _had_no_turn(error))):
                raise
        time.sleep(random.uniform(0, 0.02 * 2 ** min(number, 5)))  # nosec B311  # a pause, and no secret
    raise AssertionError('unreachable')


def after_commit(function: Callable[[], Any], using: str, *, at_once: bool = False) -> None:
    """Call a function once the transaction has committed; at once, if there is none. What it raises is logged.

    With autocommit off, it is unknown when the caller commits: recovery finds what is committed, and does it then.

    Args:
        function: What to call.
        using: The alias of the database.
        at_once: Call it at once in that case: nothing would do it later.
    """
    connection = connections[using]
    if connection.in_atomic_block:
        connection.on_commit(function, robust=True)
    elif autocommits(connection):  # as Django does it, in fewer steps
        try:
            function()
        except Exception:
            logger.exception('What follows a commit failed (%r).', function)
    elif at_once:
        function()


def autocommits(connection: Any) -> bool:
    """Return what `get_autocommit()` does, without connecting."""
    open_ = connection.connection is not None
    return bool(connection.autocommit if open_ else connection.settings_dict['AUTOCOMMIT'])


def is_outermost(using: str) -> bool:
    """Return whether a transaction that begins now is not part of another one."""
    connection = connections[using]
    return not connection.in_atomic_block and autocommits(connection)


def is_conflict(error: BaseException) -> bool:
    """Return whether the database has ended a transaction in favour of another: the same may succeed now."""
    cause: Any = error.__cause__ or error
    state = getattr(cause, 'sqlstate', None) or getattr(cause, 'pgcode', None)
    return state in _STATES or (bool(cause.args) and cause.args[0] in _NUMBERS)


def _had_no_turn(error: BaseException) -> bool:
    """Return whether SQLite's one write lock went to others for too long: its waiting callers have no order."""
    return getattr(error.__cause__, 'sqlite_errorcode', None) == sqlite3.SQLITE_BUSY


def has_snapshots(using: str) -> bool:
    """Return whether the project has chosen an isolation by which a transaction reads what its first statement saw."""
    connection: Any = connections[using]
    if connection.vendor == 'mysql':
        return connection.isolation_level != 'read committed'
    return connection.vendor == 'postgresql' and 'isolation_level' in connection.settings_dict['OPTIONS']

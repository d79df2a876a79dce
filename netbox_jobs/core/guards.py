"""Database guards: how the connections of a thread are reset after `run()`, so that its end can be written."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from django.db import Error as DBError
from django.db import InterfaceError, InternalError, OperationalError, connections, transaction
from django.db.transaction import TransactionManagementError

from . import transactions

logger = logging.getLogger('netbox_jobs')
T = TypeVar('T')

#: Seconds for which the write of an outcome is repeated while the database is away.
PERSISTENCE = 60.0
#: The exceptions that a lost connection raises.
CONNECTION_ERRORS = (OperationalError, InterfaceError, InternalError)
#: The error of code that did not notice that its transaction had failed.
GIVEN_UP = 'run() went on after a database error within the transaction; what it had written is rolled back.'


def is_in_memory(connection: Any) -> bool:
    """Return whether the database is SQLite in memory, as Django's tests have it.

    No other process reads it, and a second connection that writes would make `run()` fail with
    "database table is locked", which no timeout helps against.
    """
    return connection.vendor == 'sqlite' and bool(connection.is_in_memory_db())


def is_broken(connection: Any) -> bool:
    """Return whether a transaction is open on this thread's connection that accepts no more statements."""
    if not connection.in_atomic_block and transactions.autocommits(connection):
        return False
    if connection.needs_rollback:
        return True
    try:
        with connection.cursor() as cursor:
            cursor.execute('SELECT 1')
    except DBError:
        return True
    return False


def is_left_open(connection: Any) -> bool:
    """Return whether autocommit was switched off, so that uncommitted writes are lost."""
    wanted = connection.settings_dict['AUTOCOMMIT']
    return bool(wanted and not connection.in_atomic_block and not transactions.autocommits(connection))


@contextmanager
def guarded(connection: Any) -> Iterator[None]:
    """Keep an open transaction usable, whatever the block does to it.

    What was written there stays, unless the transaction is broken and cannot be used but by rolling back.

    Raises:
        TransactionManagementError: It was broken, and nothing was raised about it.
    """
    if not connection.in_atomic_block:
        yield
        return
    failure = None
    with transaction.atomic(using=connection.alias):
        try:
            yield
        except BaseException as error:
            failure = error
        if is_broken(connection):
            transaction.set_rollback(True, using=connection.alias)
            failure = failure or TransactionManagementError(GIVEN_UP)
    if failure is not None:
        raise failure


def reset_connections() -> None:
    """Roll back and close the connections of this thread."""
    for connection in connections.all(initialized_only=True):
        connection.run_on_commit = []
        connection.in_atomic_block = False
        connection.savepoint_ids = []
        connection.needs_rollback = False
        try:
            if connection.connection is not None:
                connection.rollback()
            connection.close()
        except DBError:  # it was lost; the server rolls back what was open on it
            connection.connection = None


def persist(write: Callable[[], T], using: str, subject: str) -> T:
    """Call `write`; reconnect and call it again while the database is away, for a minute at most.

    Not within a transaction: there is nothing to try again, as what it has done is rolled back.

    Args:
        write: It is called once or more.
        using: The alias of the database that it writes to.
        subject: What is written, for the log.

    Returns:
        What `write` does.

    Raises:
        OperationalError, InterfaceError, InternalError: The database did not come back.
    """
    give_up = time.monotonic() + PERSISTENCE
    pause = 0.05
    while True:
        try:
            return write()
        except CONNECTION_ERRORS as error:
            if connections[using].in_atomic_block or time.monotonic() + pause > give_up:
                raise
            logger.warning('%s could not be written (%s); trying again.', subject, error)
        reset_connections()
        time.sleep(pause)
        pause = min(pause * 2, 5.0)

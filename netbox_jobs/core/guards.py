"""What `run()` may do to this thread's connections, and how they are put right, so that its end can be written."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from django.db import Error as DBError
from django.db import InterfaceError, InternalError, OperationalError, connections, transaction
from django.db.transaction import TransactionManagementError

logger = logging.getLogger('netbox_jobs')
T = TypeVar('T')

#: Seconds for which the outcome of a job is tried to be written while the database is away.
PERSISTENCE = 60.0
#: What is raised where a connection is lost.
CONNECTION_ERRORS = (OperationalError, InterfaceError, InternalError)
#: What is said of code that did not notice that what it did came to nothing.
GIVEN_UP = 'run() went on after a database error within the transaction; what it had written is rolled back.'


def is_in_memory(using: str) -> bool:
    """Whether the database is SQLite's in memory, as Django's tests have it.

    Nobody outside of this process looks at it, and a second connection that writes would make `run()` fail with
    "database table is locked", which no timeout helps against.
    """
    connection: Any = connections[using]
    return connection.vendor == 'sqlite' and bool(connection.is_in_memory_db())


def is_broken(using: str) -> bool:
    """Whether a transaction is open on this thread's connection that takes no more statements."""
    connection = connections[using]
    if not connection.in_atomic_block and connection.get_autocommit():
        return False
    if connection.needs_rollback:
        return True
    try:
        with connection.cursor() as cursor:
            cursor.execute('SELECT 1')
    except DBError:
        return True
    return False


def is_left_open(using: str) -> bool:
    """Whether somebody has switched autocommit off, so that nothing is kept that nobody commits."""
    connection = connections[using]
    wanted = connection.settings_dict['AUTOCOMMIT']
    return bool(wanted and connection.connection and not connection.in_atomic_block and not connection.get_autocommit())


@contextmanager
def guarded(using: str) -> Iterator[None]:
    """Keep the transaction that is open, if one is, usable, whatever is done to it within the block.

    What was written there stays, unless the transaction is broken and cannot be used but by rolling back.

    Raises:
        TransactionManagementError: It was broken, and nothing was raised about it.
    """
    if not connections[using].in_atomic_block:
        yield
        return
    failure = None
    with transaction.atomic(using=using):
        try:
            yield
        except BaseException as error:
            failure = error
        if is_broken(using):
            transaction.set_rollback(True, using=using)
            failure = failure or TransactionManagementError(GIVEN_UP)
    if failure is not None:
        raise failure


def reset_connections() -> None:
    """Roll back and close whatever is left open on this thread's connections."""
    for connection in connections.all(initialized_only=True):
        connection.run_on_commit = []
        connection.in_atomic_block = False
        connection.savepoint_ids = []
        connection.needs_rollback = False
        try:
            if connection.connection is not None:
                connection.rollback()
            connection.close()
        except DBError:  # it was lost; what was open on it is rolled back by the server
            connection.connection = None


def persist(write: Callable[[], T], using: str, subject: str) -> T:
    """Call `write`, again after reconnecting while the database is away, for a minute at most.

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

"""Sessions with the database: that of a process ends with it, and none of its code can use another one after that.

Opening a session takes PostgreSQL longer than ten steps, so the simulation keeps them. To the database, a session that
was rolled back is as one whose process has died.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.db import connections


class Died(BaseException):
    """The simulated process has died."""


class Severed:
    """Stands for the session of a process that has died."""

    def __getattr__(self, name: str) -> Any:
        raise Died


#: The sessions that can be used again, by how many processes stand still meanwhile.
_kept: dict[int, list[Any]] = {}
_nested = 0


def is_locked_out() -> bool:
    """Whether this is a process that has come between two statements of another."""
    return _nested > 0


def may_be_interrupted(connection: Any) -> bool:
    """Return whether another session can write now: SQLite has one write lock."""
    return connection.vendor != 'sqlite' or not connection.in_atomic_block


def cut(connection: Any) -> None:
    """End a session; what it has not committed is rolled back, and its process cannot open another."""
    session = connection.connection
    if isinstance(session, Severed):
        return
    connection.connection, connection.connect = Severed(), _refuse
    if session is None:
        return
    with suppress(Exception):
        session.rollback()
        if connection.vendor == 'postgresql':
            session.autocommit = True
            _kept.setdefault(_nested, []).append(session)
        else:
            session.close()  # a cursor that is still referred to would show it the past


def _refuse() -> None:
    raise Died


def renew() -> None:
    """Give this thread a new session with the database, in place of one whose process has died."""
    before, connections['default'] = connections['default'], _opened()
    cut(before)


def _opened() -> Any:
    connection = connections.create_connection('default')
    kept = _kept.get(_nested)
    if kept:
        connection.connection, connection.autocommit = kept.pop(), True
        return connection
    if _nested and connection.vendor == 'postgresql':  # nothing could release the locks that it waits for
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '5ms'")
    return connection


@contextmanager
def another_session() -> Iterator[None]:
    """Work on another session within the block; it does not wait for locks."""
    global _nested
    outer = connections['default']
    _nested += 1
    try:
        connections['default'] = _opened()
        yield
    finally:
        cut(connections['default'])
        _nested -= 1
        connections['default'] = outer


@contextmanager
def kept_sessions() -> Iterator[None]:
    """Use quick sessions within the block, and close them after it."""
    outer = connections['default']  # that of the test, which goes on with it
    outer.close()
    connections['default'] = _opened()
    try:
        yield
    finally:
        cut(connections['default'])
        connections['default'] = outer
        for session in [session for sessions in _kept.values() for session in sessions]:
            session.close()
        _kept.clear()

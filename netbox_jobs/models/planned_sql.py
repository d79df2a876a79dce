"""Statements that a session is sent again and again: PostgreSQL parses and plans them once a second for all of these.

That takes it longer than to run them. Only outside of transactions, so that one that fails can be sent again as it is,
and only where the server itself is at the other end: a pooler may lead each statement to another of its sessions.
"""

import itertools
import re
import time
import uuid
import weakref
from collections.abc import Callable
from typing import Any, TypeVar

from django.db import Error as DBError

T = TypeVar('T')

#: Seconds after which a statement is planned anew: a table may have grown from nothing to a million rows.
LIFETIME = 1.0
#: How often a statement is sent within that time before it is prepared.
OFTEN = 4
#: How many statements are counted in a session: those with lists of many lengths are many.
COUNTED = 100
# The session does not have what it had prepared, or cannot use it: a job has discarded it, a migration has changed the
# table.
_GONE = ('26000', '0A000')
_MARK = re.compile('%[%s]')


def execute(connection: Any, text: str, parameters: list[Any], result: Callable[[Any], T]) -> T:
    """Execute a statement, by a plan that is there already if it comes often.

    Args:
        connection: Django's connection, outside of a transaction.
        text: The statement.
        parameters: One for each `%s` in it.
        result: Called with the cursor.

    Returns:
        What `result` returns.
    """
    with connection.cursor() as cursor:
        statement = _session(connection).statement(text)
        if statement.is_planned(cursor):
            try:
                cursor.execute(statement.call(len(parameters)), parameters)
                return result(cursor)
            except DBError as error:
                if _state(error) not in _GONE:
                    raise
                statement.forget()
        cursor.execute(text, parameters)
        return result(cursor)


class _Session:
    """What one session has been sent, and has prepared."""

    def __init__(self, *, can_prepare: bool) -> None:
        self._statements: dict[str, _Statement] = {}
        self._can_prepare = can_prepare
        self._asked = False

    def statement(self, text: str) -> '_Statement':
        """What is known of the statement with this text."""
        found = self._statements.get(text)
        if found is None:
            found = _Statement(text, self)
            if len(self._statements) < COUNTED:
                self._statements[text] = found
        return found

    def can_prepare(self, cursor: Any) -> bool:
        """Whether a statement that it prepares is there for the next one: the session is that of the server."""
        if self._can_prepare and not self._asked:
            self._asked = True
            cursor.execute('SELECT pg_backend_pid()')
            self._can_prepare = cursor.fetchone()[0] == cursor.connection.info.backend_pid
        return self._can_prepare


class _Statement:
    def __init__(self, text: str, session: _Session) -> None:
        self._text, self._session = text, session
        self._began, self._sent = 0.0, 0
        self._name = ''
        self._planned = self._refused = False

    def is_planned(self, cursor: Any) -> bool:
        """Count that it is sent, and prepare it if it is due; returns whether `call()` does the same."""
        now = time.monotonic()
        if now - self._began > LIFETIME:
            self._began, self._sent, self._planned = now, 0, False
        self._sent += 1
        if self._sent > OFTEN and not self._planned and not self._refused and self._session.can_prepare(cursor):
            self._prepare(cursor)
        return self._planned

    def call(self, parameters: int) -> str:
        """The statement that runs its plan with so many parameters."""
        marks = f' ({", ".join(["%s"] * parameters)})' if parameters else ''
        return f'EXECUTE {self._name}{marks}'

    def forget(self) -> None:
        """The session does not have it any more."""
        self._name, self._planned = '', False

    def _prepare(self, cursor: Any) -> None:
        leave, self._name = f'DEALLOCATE {self._name}; ' if self._name else '', f'netbox_jobs_{uuid.uuid4().hex}'
        numbers = itertools.count(1)
        text = _MARK.sub(lambda mark: '%' if mark[0] == '%%' else f'${next(numbers)}', self._text)
        try:
            cursor.execute(f'{leave}PREPARE {self._name} AS {text}')
            self._planned = True
        except DBError:  # it cannot tell the type of a parameter, or a job has discarded what was to be deallocated
            self.forget()
            self._refused = not leave


def _session(connection: Any) -> _Session:
    connection.ensure_connection()
    session = _sessions.get(connection.connection)
    if session is None:
        # With `server_side_binding`, the parameters of EXECUTE would be sent apart from it, which PostgreSQL refuses.
        bound = (connection.settings_dict.get('OPTIONS') or {}).get('server_side_binding')
        session = _sessions[connection.connection] = _Session(can_prepare=not bound)
    return session


def _state(error: DBError) -> str | None:
    """PostgreSQL's code for what went wrong, by psycopg or psycopg2."""
    cause: Any = error.__cause__
    return getattr(cause, 'sqlstate', None) or getattr(cause, 'pgcode', None)


_sessions: weakref.WeakKeyDictionary[Any, _Session] = weakref.WeakKeyDictionary()

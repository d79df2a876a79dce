"""The database connections of a worker's processes: whose they are, and how long they live."""

import logging
import multiprocessing
import threading
import weakref
from collections import deque
from typing import Any

from django.db import Error as DBError
from django.db import connections
from django.db.backends.signals import connection_created

from ..core import guards
from ..lifecycle.claim import rehearse
from ..models import database

logger = logging.getLogger('netbox_jobs')


def leave_pools() -> None:
    """Have this process, and those that it forks, connect without Django's connection pool, on every alias.

    A pool that is open at a fork serves both processes with the same sockets, and its threads are in one of them only.
    A child has a connection for each of its few threads, and keeps it; a pool of its own would hold four more.
    """
    for alias in connections:
        connection: Any = connections[alias]
        options = connection.settings_dict.get('OPTIONS') or {}
        if not options.get('pool') or not hasattr(connection, 'close_pool'):
            continue
        connection.close()
        if multiprocessing.parent_process() is None:  # else an open one may be that of the process that forked this one
            connection.close_pool()
        connection.settings_dict['OPTIONS'] = {name: value for name, value in options.items() if name != 'pool'}


def keep_connections() -> None:
    """Have database connections live as long as this process, where the project does not say how long."""
    for alias in connections:
        if connections[alias].settings_dict['CONN_MAX_AGE'] == 0:
            connections[alias].settings_dict['CONN_MAX_AGE'] = None


def connect(*, again: bool = False) -> None:
    """Connect to the database of the jobs while there is nothing else to do.

    Args:
        again: Whether this has been done before: a connection that does not answer any more, or is too old, is
            replaced. As a statement finds that out, no firewall on the way drops an idle connection.
    """
    connection = connections[database()]
    try:
        if again and connection.connection is not None:
            connection.close_if_unusable_or_obsolete()
            if connection.connection is not None and not connection.is_usable():
                guards.reset_connections()
        connection.ensure_connection()
    except DBError as error:
        logger.info('The database does not answer yet (%s).', error)


def prepare_claim() -> None:
    """While there is no job yet: have the session prepare what it needs for a claim."""
    try:
        rehearse(database())
    except DBError as error:
        logger.debug('The rehearsal failed (%s); the job finds out itself.', error)


class ThreadConnections:
    """The connections that other threads than this one have opened in this process.

    Django closes a thread's connection when the garbage collector finds it, which may be thousands of jobs later.
    """

    def __init__(self) -> None:
        self._thread = threading.current_thread()
        # Without a lock: a process that a job forks would inherit it as it is.
        self._opened: deque[tuple[weakref.ref[Any], weakref.ref[threading.Thread]]] = deque()
        connection_created.connect(self._note)

    def _note(self, connection: Any, **kwargs: Any) -> None:
        thread = threading.current_thread()
        if thread is not self._thread:
            self._opened.append((weakref.ref(connection), weakref.ref(thread)))

    def close_ended(self) -> None:
        """Close the connections of the threads that have ended."""
        if not self._opened:
            return
        own = connections.all(initialized_only=True)  # a job may have lent them to a thread
        for _ in range(len(self._opened)):  # others are added meanwhile
            connection, thread = self._opened.popleft()
            if _is_alive(thread()):
                self._opened.append((connection, thread))
            elif (left := connection()) is not None and left not in own:
                _close(left)


def _close(connection: Any) -> None:
    connection.inc_thread_sharing()
    try:
        connection.close()
    except Exception as error:
        logger.debug('The connection of a thread that has ended could not be closed (%r).', error)


def _is_alive(thread: threading.Thread | None) -> bool:
    return thread is not None and thread.is_alive()

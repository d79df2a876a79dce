"""Clients and queues of Redis, one of each in a process, and the circuit breaker in front of them.

After a failure a server is not asked again for a few seconds, so that a site whose Redis has vanished stays as fast as
it was.
"""

import time
from typing import Any

import django_rq
import redis.exceptions
from django.core.exceptions import ImproperlyConfigured
from django_rq import connection_utils
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError, ReadOnlyError, RedisError, TimeoutError
from redis.retry import Retry
from rq import Queue

from ..core import conf, queues
from ..exceptions import NetBoxJobsError
from . import outages

#: Seconds for which Redis is not asked again after it could not be reached.
PAUSE = 3.0
#: A server does not answer, has no memory left, or has become a replica: what is to be delivered waits for its return.
UNAVAILABLE = (
    ConnectionError, TimeoutError, ReadOnlyError,
    getattr(redis.exceptions, 'OutOfMemoryError', ReadOnlyError),  # since 4.6
)  # fmt: skip

# Queues by name, each with what it was made from.
_queues: dict[str, tuple[Any, Queue]] = {}
_clients: list[tuple[Any, Any]] = []
_open_until: dict[int, float] = {}


class CircuitOpen(NetBoxJobsError, ConnectionError):
    """A server could not be reached a moment ago and is not asked now; that counts as no further failure."""


def queue(name: str) -> Queue:
    """Return RQ's queue of this name, on a client with short timeouts.

    Raises:
        UnknownQueue: `RQ_QUEUES` has no such queue.
    """
    config = queues.configured()[queues.check(name)]
    # A test that replaces the way in which django-rq connects is honoured.
    made_from = (config, connection_utils.get_redis_connection)
    known = _queues.get(name)
    if known is None or known[0] != made_from:
        found = django_rq.get_queue(name, connection=_client(config), commit_mode='auto', is_async=True)
        known = (made_from, found)
        _queues[name] = known
    return known[1]


def reachable_queue(name: str) -> Queue:
    """Return the queue, unless its server could not be reached a moment ago.

    Raises:
        CircuitOpen: It could not.
    """
    found = queue(name)
    if is_open(found):
        raise CircuitOpen('it could not be reached a moment ago')
    return found


def answers(queue_name: str) -> bool:
    """Return whether the Redis of a queue can be reached; one that could not be is not asked for a few seconds."""
    found = queue(queue_name)
    if is_open(found):
        return False
    try:
        found.connection.ping()
    except RedisError as error:
        note_failure(queue_name, error)
        return False
    return True


def is_resting(queue_name: str) -> bool:
    """Return whether a delivery would fail now: the server is not asked, or this process does not know the queue."""
    try:
        return is_open(queue(queue_name))
    except (ValueError, LookupError, ImproperlyConfigured):
        return True


def is_open(target: Queue) -> bool:
    """Return whether the circuit to the server of this queue is open, so that it is not asked."""
    return time.monotonic() < _open_until.get(_server(target), 0)


def note_failure(queue_name: str, error: Exception) -> None:
    """Open the circuit to the server of a queue, if the error says that it cannot take anything now."""
    if isinstance(error, UNAVAILABLE) and not isinstance(error, CircuitOpen):
        _open_until[_server(queue(queue_name))] = time.monotonic() + PAUSE


def note_undelivered(queue_name: str, subject: str, error: Exception, jobs: int = 1) -> None:
    """Say that jobs could not be delivered because the server of a queue is away; once for all of an outage."""
    note_failure(queue_name, error)
    outages.begin_or_count(_server(queue(queue_name)), subject, jobs, error)


def note_answer(target: Queue) -> None:
    """Say that the server of this queue is back, if it was away."""
    outages.end(_server(target))


def close_circuits() -> None:
    """Ask every server again at once."""
    _open_until.clear()
    outages.forget()


def _client(config: dict[str, Any]) -> Any:
    made_from = (connection_utils.filter_connection_params(config), connection_utils.get_redis_connection)
    for known, client in _clients:
        if known == made_from:
            return client
    client = connection_utils.get_redis_connection(config)
    pool: Any = getattr(client, 'connection_pool', None)
    if 'USE_REDIS_CACHE' not in config and hasattr(pool, 'connection_kwargs'):
        limit = conf.get('REDIS_TIMEOUT')
        # One more try at once for a pooled connection that Redis has closed; none for a server that is silent.
        retry = Retry(NoBackoff(), 1, supported_errors=(ConnectionError,))
        pool.connection_kwargs.update(socket_connect_timeout=limit, socket_timeout=limit, retry=retry)
    _clients.append((made_from, client))
    return client


def _server(target: Queue) -> int:
    return id(getattr(target.connection, 'connection_pool', target.connection))

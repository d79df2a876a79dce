"""The Redis servers: whether they answer, take what is written, keep it when they are full, and their clocks."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from redis.exceptions import AuthenticationError, ConnectionError, NoPermissionError, RedisError, TimeoutError

from ...broker import connection
from ...core import queues
from . import clocks
from .finding import ERROR, INFO, WARNING, Finding

#: A key that does not exist: `LPUSHX` on it is a write that changes nothing.
_NO_LIST = 'netbox_jobs:doctor'


def findings() -> Iterator[Finding]:
    """Yield what is wrong with each Redis server."""
    for name, client in clients().items():
        try:
            client.ping()
            yield from clocks.skew('redis', f'the Redis server of the queue {name}', partial(seconds, client))
            yield from _writes(name, client)
            yield from _eviction(name, client)
        except RedisError as error:
            yield _away(name, client, error)


def clients() -> dict[str, Any]:
    """Return one client for each server, by the name of its first queue."""
    found: dict[Any, tuple[str, Any]] = {}
    try:
        names = [name for name in queues.configured() if queues.is_async(name)]
    except ImproperlyConfigured:
        return {}
    for name in names:
        client = connection.queue(name).connection
        found.setdefault(id(getattr(client, 'connection_pool', client)), (name, client))
    return dict(found.values())


def seconds(client: Any) -> float:
    """Return the present moment as a Redis server says it, in seconds since the epoch."""
    there, microseconds = client.time()
    return float(there + microseconds / 1_000_000)


def address(client: Any) -> str:
    """Return where a client connects to, such as '127.0.0.1:6379, database 0'; nothing secret."""
    known = getattr(getattr(client, 'connection_pool', None), 'connection_kwargs', {})
    place = known.get('path') or f'{known.get("host", "?")}:{known.get("port", "?")}'
    return f'{place}, database {known.get("db") or 0}'


def _away(name: str, client: Any, error: RedisError) -> Finding:
    server = f'The Redis server of the queue {name} ({address(client)})'
    if isinstance(error, ConnectionError | TimeoutError) and not isinstance(error, AuthenticationError):
        return Finding(
            'redis.away',
            ERROR,
            f'{server} does not answer: {error}',
            f'Start it, or correct RQ_QUEUES[{name!r}]. Jobs are stored meanwhile, and run when it is back.',
        )
    return Finding(
        'redis.refused',
        ERROR,
        f'{server} answers, and refuses what this process asks: {error}',
        f'Correct the user, the password or the number of the database in RQ_QUEUES[{name!r}].',
    )


def _writes(name: str, client: Any) -> Iterator[Finding]:
    try:
        client.lpushx(_NO_LIST, '')
    except NoPermissionError:  # to this command; RQ uses others
        pass
    except (ConnectionError, TimeoutError):
        raise
    except RedisError as error:
        yield Finding(
            'redis.writes',
            ERROR,
            f'The Redis server of the queue {name} ({address(client)}) takes nothing that is written: {error}',
            f'If it is a replica, let RQ_QUEUES[{name!r}] name the primary. If its memory or its disk is full, give it '
            'more. Jobs are stored meanwhile, and run when it takes them.',
        )


def _eviction(name: str, client: Any) -> Iterator[Finding]:
    try:
        memory: dict[str, Any] = client.info('memory')
    except RedisError as error:
        yield Finding(
            'redis.unknown_policy',
            INFO,
            f'The Redis server of the queue {name} does not tell its maxmemory-policy: {error}',
            'Make sure that it is "noeviction".',
        )
        return
    policy = str(memory.get('maxmemory_policy', 'noeviction'))
    if policy != 'noeviction':
        limit = memory.get('maxmemory_human') if memory.get('maxmemory') else 'none yet'
        yield Finding(
            'redis.eviction',
            WARNING,
            f'The Redis server of the queue {name} removes keys when it is full: its maxmemory-policy is {policy!r} '
            f'(maxmemory: {limit}). Recovery delivers the jobs again that it loses so, which takes time.',
            'Set "maxmemory-policy noeviction", or use a server of its own for queues.',
        )

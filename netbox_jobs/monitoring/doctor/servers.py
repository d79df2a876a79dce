"""The database and the Redis servers: migrations, clocks, isolation, and what Redis does when it is full."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.db.migrations.executor import MigrationExecutor
from redis.exceptions import RedisError

from ...broker import connection
from ...core import queues
from ...models import Job, database
from .finding import ERROR, INFO, WARNING, Finding

#: Seconds by which two clocks may differ.
SKEW = 2.0
#: The present moment in seconds since the epoch, as a database says it. SQLite has the clock of this host.
_NOW = {'postgresql': 'SELECT EXTRACT(EPOCH FROM clock_timestamp())', 'mysql': 'SELECT UNIX_TIMESTAMP(SYSDATE(6))'}
_ISOLATION = {'postgresql': 'SHOW transaction_isolation', 'mysql': 'SELECT @@SESSION.{}'}


def migrations() -> Iterator[Finding]:
    """Yield the migrations of netbox_jobs that are not applied."""
    executor = MigrationExecutor(connections[database()])
    label = Job._meta.app_label
    targets = [node for node in executor.loader.graph.leaf_nodes() if node[0] == label]
    missing = [migration.name for migration, _back in executor.migration_plan(targets) if migration.app_label == label]
    if missing:
        yield Finding(
            'database.migrations',
            ERROR,
            f'Migrations of netbox_jobs are not applied: {", ".join(missing)}.',
            f'Run "manage.py migrate netbox_jobs --database {database()}".',
        )


def database_server() -> Iterator[Finding]:
    """Yield what is wrong with the database."""
    using = database()
    found: Any = connections[using]
    if found.vendor not in _NOW:
        return

    def ask(sql: str) -> Any:
        with found.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchone()[0]

    yield from _skew('database', 'the database', lambda: float(ask(_NOW[found.vendor])))
    variable = 'tx_isolation' if getattr(found, 'mysql_is_mariadb', False) else 'transaction_isolation'
    level = str(ask(_ISOLATION[found.vendor].format(variable))).lower().replace('-', ' ')
    if level != 'read committed':
        yield Finding(
            'database.isolation',
            WARNING,
            f'Transactions on the database {using!r} are {level.upper()}. Those of netbox_jobs set READ COMMITTED '
            'themselves; enqueue_once() within a transaction of your code can fail with a serialization error.',
            'Use READ COMMITTED, or repeat such transactions.',
        )


def redis_servers() -> Iterator[Finding]:
    """Yield what is wrong with each Redis server."""
    for name, client in _clients().items():
        try:
            client.ping()
        except RedisError as error:
            yield Finding(
                'redis.away',
                ERROR,
                f'The Redis server of the queue {name} does not answer: {error}',
                f'Start it, and look at RQ_QUEUES[{name!r}]. Jobs are stored meanwhile, and run when it is back.',
            )
            continue
        yield from _skew('redis', f'the Redis server of the queue {name}', partial(_seconds, client))
        yield from _eviction(name, client)


def _clients() -> dict[str, Any]:
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


def _seconds(client: Any) -> float:
    seconds, microseconds = client.time()
    return float(seconds + microseconds / 1_000_000)


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


def _skew(kind: str, what: str, ask: Callable[[], float]) -> Iterator[Finding]:
    before = time.time()
    there = ask()
    after = time.time()
    # The answer was made at some moment in between.
    ahead = there - after if there > after else there - before if there < before else 0.0
    if abs(ahead) > SKEW:
        yield Finding(
            f'{kind}.clock',
            WARNING,
            f'The clock of {what} is {abs(ahead):.0f} seconds {"ahead of" if ahead > 0 else "behind"} that of this '
            'host.',
            'Synchronize the clocks of all hosts with NTP. Scheduled jobs begin by the clock of the host of a worker.',
        )

"""The database server: migrations, its clock, isolation, connections, and a pooler in front of it."""

from collections.abc import Callable, Iterator
from typing import Any

from django.db import connections
from django.db.migrations.executor import MigrationExecutor

from ...models import Job, database
from . import clocks
from .finding import ERROR, WARNING, Finding

#: The present moment in seconds since the epoch, as a database says it. SQLite has the clock of this host.
_NOW = {'postgresql': 'SELECT EXTRACT(EPOCH FROM clock_timestamp())', 'mysql': 'SELECT UNIX_TIMESTAMP(SYSDATE(6))'}
_ISOLATION = {'postgresql': 'SHOW transaction_isolation', 'mysql': 'SELECT @@SESSION.{}'}
_USED = {
    'postgresql': "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'",
    'mysql': "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'THREADS_CONNECTED'",
}
_MOST = {
    'postgresql': "SELECT current_setting('max_connections')::int"
    " - current_setting('superuser_reserved_connections')::int",
    'mysql': 'SELECT @@GLOBAL.max_connections',
}
#: The part of its connections that a server may use without a finding.
_FULL = 0.9


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
    vendor = found.vendor
    if vendor not in _NOW:
        return

    def ask(sql: str) -> Any:
        with found.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchone()[0]

    yield from clocks.skew('database', 'the database', lambda: float(ask(_NOW[vendor])))
    variable = 'tx_isolation' if getattr(found, 'mysql_is_mariadb', False) else 'transaction_isolation'
    level = str(ask(_ISOLATION[vendor].format(variable))).lower().replace('-', ' ')
    if level != 'read committed':
        yield Finding(
            'database.isolation',
            WARNING,
            f'Transactions on the database {using!r} are {level.upper()}. Those of netbox_jobs set READ COMMITTED '
            'themselves; enqueue_once() within a transaction of your code can fail with a serialization error.',
            'Use READ COMMITTED, or repeat such transactions.',
        )
    if vendor == 'postgresql' or getattr(found, 'mysql_is_mariadb', False):
        yield from _connections(using, int(ask(_USED[vendor])), int(ask(_MOST[vendor])))
    if vendor == 'postgresql':
        yield from _pooler(using, found, ask)


def _connections(using: str, used: int, most: int) -> Iterator[Finding]:
    if used >= most * _FULL:
        yield Finding(
            'database.connections',
            WARNING,
            f'The server of the database {using!r} has {used} of at most {most} connections open. Beyond, workers and '
            'web processes get errors.',
            'Raise max_connections, run fewer processes, or put a pooler in between.',
        )


def _pooler(using: str, found: Any, ask: Callable[[str], Any]) -> Iterator[Finding]:
    """Yield a finding if a pooler answered, which may give each statement of a cursor to another session."""
    told = getattr(getattr(found.connection, 'info', None), 'backend_pid', None)
    if told is None:  # psycopg2
        return
    if not found.settings_dict.get('DISABLE_SERVER_SIDE_CURSORS') and told != ask('SELECT pg_backend_pid()'):
        yield Finding(
            'database.pooler',
            WARNING,
            f'A pooler stands in front of the database {using!r}, and DISABLE_SERVER_SIDE_CURSORS is not set. In '
            'transaction mode, iterator() of your code then fails, since its cursor is gone.',
            f"Set DATABASES[{using!r}]['DISABLE_SERVER_SIDE_CURSORS'] = True.",
        )

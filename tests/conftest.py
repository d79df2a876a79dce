"""Fixtures of all tests."""

import gc
import os
import shutil
from collections.abc import Callable, Generator, Iterator
from importlib.util import find_spec
from pathlib import Path

import django
import pytest
from django.db import connections, transaction
from django.test import TransactionTestCase
from pytest_django import DjangoDbBlocker
from rq import SimpleWorker

from netbox_jobs.broker import connection, delivery
from netbox_jobs.core import queues
from netbox_jobs.execution import time_limit
from netbox_jobs.lifecycle import pace
from netbox_jobs.pytest_plugin import job_redis_url, job_worker

from . import nursery
from .browser import chromium, violations, visit
from .processes import WorkerProcess

pytest.register_assert_rewrite('tests.enqueue.unsaved_objects')  # it asserts for several files
# Fixtures of these modules are there for all tests.
__all__ = ('chromium', 'job_redis_url', 'job_worker', 'violations', 'visit')

_DATABASE = os.environ.get('TEST_DATABASE_URL', 'sqlite')
collect_ignore = []
if not (shutil.which('pgbouncer') and _DATABASE.startswith('postgres')):
    collect_ignore.append('enqueue/test_pgbouncer.py')
if not _DATABASE.startswith('postgres'):
    collect_ignore.append('models/test_planned_sql.py')
if not (find_spec('psycopg_pool') and _DATABASE.startswith('postgres')):
    collect_ignore.append('worker/test_pools.py')
if _DATABASE.startswith('sqlite') or not (Path(__file__).parent.parent / '.git').exists():
    collect_ignore.append('upgrade')  # it makes a database, and has the earlier version from the history
if _DATABASE.startswith('sqlite'):
    # They read the plans of servers.
    collect_ignore += ['monitoring/test_scale.py', 'contrib/rest/test_scale.py', 'lifecycle/test_stale_statistics.py']
    collect_ignore.append('enqueue/test_isolation.py')
    collect_ignore += ['enqueue/test_lock_order.py', 'enqueue/test_gap_locks.py']
    # Its one write lock is waited for.
    collect_ignore += [
        'lifecycle/test_long_transactions.py',
        'lifecycle/test_locked_jobs.py',
        'lifecycle/test_left_outcomes.py',
        'lifecycle/test_pending_changes.py',
    ]
    collect_ignore += ['maintenance/test_locked_rows.py', 'execution/test_locked_rows.py']


if _DATABASE.startswith('mysql'):
    collect_ignore.append('simulation/test_simulation.py')  # two sessions in one thread would wait for each other
else:
    collect_ignore.append('execution/test_charset.py')
#: Tests of extras that are not installed.
_TASKS = 'django' if django.VERSION >= (6, 0) else 'django_tasks'
for _name, _module in (
    ('metrics', 'prometheus_client'),
    ('django_tasks', _TASKS),
    ('django_tasks_jobs', _TASKS),
    ('otel', 'opentelemetry'),
    ('sentry', 'sentry_sdk'),
):
    if not find_spec(_module):
        collect_ignore.append(f'contrib/test_{_name}.py')
if not find_spec('drf_spectacular'):
    collect_ignore.append('contrib/rest')
if not find_spec('django_tables2'):
    collect_ignore.append('contrib/netbox/test_netbox.py')
# What Django has put there for the models, and puts there again when it truncates all tables after a test.
_KEPT_TABLES = {'auth_permission', 'django_content_type', 'django_migrations'}
_tables: dict[str, list[str]] = {}


def _delete_rows(test: TransactionTestCase) -> None:
    """Empty the tables after a test by DELETE, which takes milliseconds; Django's TRUNCATE took most of the time.

    One SELECT finds the few that hold rows.
    """
    for alias in test._databases_names(include_mirrors=False):
        connection = connections[alias]
        if alias not in _tables:
            found = connection.introspection.django_table_names(only_existing=True, include_views=False)
            _tables[alias] = sorted(set(found) - _KEPT_TABLES)
        names = [connection.ops.quote_name(table) for table in _tables[alias]]
        with connection.cursor() as cursor:
            cursor.execute(f'SELECT {", ".join(f"EXISTS(SELECT 1 FROM {name})" for name in names)}')
            filled = [name for name, found in zip(names, cursor.fetchone(), strict=True) if found]
        with (
            connection.constraint_checks_disabled(),
            transaction.atomic(using=alias),
            connection.cursor() as cursor,
        ):
            for name in filled:
                cursor.execute(f'DELETE FROM {name}')


def _keep_connections(test: TransactionTestCase) -> bool:
    """Have the next test use the same connections, as `_delete_rows()` has just done; to make a new one takes longer.

    Those that a test has left in another state than it found them are closed.
    """
    for used in connections.all(initialized_only=True):
        if used.in_atomic_block or used.errors_occurred or used.execute_wrappers:
            used.close()
    return False


TransactionTestCase._fixture_teardown = _delete_rows
TransactionTestCase._should_reload_connections = _keep_connections


@pytest.fixture(scope='session')
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """In the databases of the tests, PostgreSQL waits for no disk: the machine does not fail, only processes do."""
    with django_db_blocker.unblock():
        for used in connections.all():
            if used.vendor == 'postgresql':
                name = used.ops.quote_name(used.settings_dict['NAME'])
                with used.cursor() as cursor:
                    cursor.execute(f'ALTER DATABASE {name} SET synchronous_commit = off')
                used.close()  # it holds in new sessions


@pytest.fixture(autouse=True, scope='session')
def no_hard_end() -> Iterator[None]:
    """A job that a test runs in this process does not end it when a busy machine has it exceed its time limit."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time_limit, 'GRACE', 900.0)
        yield


@pytest.fixture(autouse=True)
def clean_redis() -> None:
    """Each test begins with an empty Redis, and with no memory of an outage, or of lines of jobs."""
    connection.close_circuits()
    pace.forget()
    delivery.queue('default').connection.flushdb()


class _LoneWorker(SimpleWorker):
    """RQ's plain worker, without what it does for others: a hundred commands to Redis, and a thread, for each test."""

    def run_maintenance_tasks(self) -> None:
        pass

    def subscribe(self) -> None:
        pass


@pytest.fixture
def work() -> Callable[..., bool]:
    """Run what has been delivered, in this process, with RQ's plain SimpleWorker."""

    def _work(*names: str) -> bool:
        served = [delivery.queue(name) for name in names or (*queues.DEFAULT_QUEUES, *queues.plugin_queues())]
        return _LoneWorker(served, connection=served[0].connection).work(burst=True)

    return _work


@pytest.fixture
def start_worker(tmp_path: Path) -> Iterator[Callable[..., WorkerProcess]]:
    """Start real workers, which are ended after the test."""
    workers: list[WorkerProcess] = []

    def _start(*arguments: str, **kwargs: str) -> WorkerProcess:
        worker = WorkerProcess(tmp_path / f'worker-{len(workers)}.log', *arguments, **kwargs)
        workers.append(worker)
        return worker

    yield _start
    for worker in workers:
        worker.discard()  # an end in order takes a second of RQ's; tests that look at it have it themselves


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What a test has logged goes from process to process as UTF-8, also where it had half of a pair."""
    report = yield
    report.sections = [(title, text.encode(errors='backslashreplace').decode()) for title, text in report.sections]
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """`python -m tests` reads which tests failed, and runs them once more."""
    if report.failed and 'TEST_FAILURES' in os.environ and 'PYTEST_XDIST_WORKER' not in os.environ:
        with Path(os.environ['TEST_FAILURES']).open('a') as failures:
            failures.write(f'{report.nodeid}\n')


def pytest_collection_finish() -> None:
    """What is there before the first test stays: the garbage collector need not look at it again and again."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """The last test has ended its processes."""
    nursery.close()

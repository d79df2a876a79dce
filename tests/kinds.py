"""A pytest plugin: the kinds of tests, by their marks.

- `process` starts workers, commands or servers, `browser` opens pages, `chaos` kills or tries everything, many
  times. All others are `unit`: one that starts a process fails.
- `once` runs in one pass of `python -m tests` only, as it is the same whatever the database is. A test that asks for no
  database, and starts no process that does, is marked by itself, as are those of the example plugin.
"""

import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from django.test import SimpleTestCase, TransactionTestCase

_KINDS = ('process', 'browser', 'chaos')
_STARTS = {'subprocess.Popen', 'os.fork', 'os.forkpty', 'os.posix_spawn', 'os.spawn', 'os.system', 'os.exec'}
_DATABASE_FIXTURES = {'db', 'transactional_db', 'django_db_reset_sequences', 'live_server'}
#: What a plugin does with the package is in its tests, and the same on every database.
_PLUGIN = Path(__file__).parent.parent / 'example_plugin'
_at_work: list[pytest.Item] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests; and put the longest first, then those that wait, so that no process works alone at the end."""
    for item in items:
        if not any(item.get_closest_marker(kind) for kind in _KINDS):
            item.add_marker('unit')
            if not _asks_for_database(item) or item.path.is_relative_to(_PLUGIN):
                item.add_marker('once')

    def length(item: pytest.Item) -> tuple[float, bool]:
        mark = item.get_closest_marker('timeout')
        return float(mark.args[0]) if mark and mark.args else 0.0, item.get_closest_marker('unit') is None

    items.sort(key=length, reverse=True)


def _asks_for_database(item: pytest.Item) -> bool:
    case: Any = getattr(item, 'cls', None)
    if case is not None and issubclass(case, SimpleTestCase):
        return issubclass(case, TransactionTestCase)
    return item.get_closest_marker('django_db') is not None or not _DATABASE_FIXTURES.isdisjoint(item.fixturenames)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Look at what a unit test does, from its fixtures to their end."""
    if item.get_closest_marker('unit'):
        _at_work.append(item)
    try:
        return (yield)
    finally:
        _at_work.clear()


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    if _STARTS and event in _STARTS and _at_work:  # at the end of Python, the names of a module may be None
        raise AssertionError(f'{_at_work[0].nodeid} starts a process ({event}): mark it with `pytest.mark.process`.')


sys.addaudithook(_refuse)

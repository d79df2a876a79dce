"""What a database does for each statement: which rows it reads, and whether it reads a whole table for them."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connections, transaction

#: A full scan of a small table is the cheapest plan; more rows than this must not be read by one.
FULL_SCAN = 300
#: The sweeps of recovery and retention work in batches of 500 rows, and 1,000 jobs wait: what is read of those does not
#: grow with what has ended.
READ = 1_200

#: A line of MariaDB's plan with a condition.
_CONDITION = re.compile(r'("\w*condition": )".*"(,?)$', re.MULTILINE)
_FULL = {'Seq Scan', 'ALL'}


@dataclass(frozen=True)
class Reading:
    """One place in a plan that reads rows of a table."""

    table: str
    how: str
    rows: int

    def __str__(self) -> str:
        return f'{self.how} of {self.table}, {self.rows} rows'


@dataclass(frozen=True)
class Plan:
    """One statement as it was carried out."""

    sql: str
    readings: tuple[Reading, ...]

    @property
    def rows(self) -> int:
        """The most rows that one place of the plan has read."""
        return max((reading.rows for reading in self.readings), default=0)

    def faults(self, on_empty: int, bound: int | None = None) -> list[str]:
        """What has grown with the table: full scans, and readings of more than a batch.

        Args:
            on_empty: How many rows are read for the same on a table without finished jobs.
            bound: How many may be read at the most, in whatever way, of that which stops there.
        """
        more = on_empty + FULL_SCAN
        full, other = (more, max(READ, more)) if bound is None else (bound, bound)
        return [
            f'{reading}: {self.sql}'
            for reading in self.readings
            if reading.rows > (full if reading.how in _FULL else other)
        ]


@contextmanager
def explained(using: str) -> Iterator[list[Plan]]:
    """Collect the plan of every statement on this connection, each carried out once more for it and rolled back."""
    connection = connections[using]
    plans: list[Plan] = []
    busy = False

    def wrapper(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:
        nonlocal busy
        if not busy and not many and _can_be_explained(str(sql), connection.vendor):
            busy = True
            try:
                plans.append(_explain(using, str(sql), params))
            finally:
                busy = False
        return execute(sql, params, many, context)

    with connection.execute_wrapper(wrapper):
        yield plans


def _can_be_explained(sql: str, vendor: str) -> bool:
    word = sql.lstrip('( ').split(' ', 1)[0].upper()
    return word in ('SELECT', 'UPDATE', 'DELETE') or (word == 'INSERT' and vendor == 'postgresql')


def _explain(using: str, sql: str, params: Any) -> Plan:
    connection = connections[using]
    postgresql = connection.vendor == 'postgresql'
    verb = 'EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON)' if postgresql else 'ANALYZE FORMAT=JSON'
    with transaction.atomic(using=using), connection.cursor() as cursor:
        cursor.execute(f'{verb} {sql}', params)
        found = cursor.fetchone()[0]
        transaction.set_rollback(True, using=using)
    if isinstance(found, str | bytes):  # MariaDB leaves quotes in conditions as they are, and nothing here reads those
        found = json.loads(_CONDITION.sub(r'\1""\2', found if isinstance(found, str) else found.decode()))
    tree = found
    readings = _postgresql(tree[0]['Plan']) if postgresql else _mariadb(tree)
    return Plan(sql, tuple(readings))


def _postgresql(node: dict[str, Any]) -> Iterator[Reading]:
    """Rows of tables; what is read of an index alone, to choose them, is left out."""
    if (table := node.get('Relation Name')) and node['Node Type'] != 'ModifyTable':
        removed = node.get('Rows Removed by Filter', 0) + node.get('Rows Removed by Index Recheck', 0)
        yield Reading(table, node['Node Type'], round((node['Actual Rows'] + removed) * node['Actual Loops']))
    for child in node.get('Plans', ()):
        yield from _postgresql(child)


def _mariadb(node: Any) -> Iterator[Reading]:
    if isinstance(node, list):
        for child in node:
            yield from _mariadb(child)
    elif isinstance(node, dict):
        if 'table_name' in node and 'access_type' in node:
            rows = (node.get('r_rows') or 0) * (node.get('r_loops') or 0)
            yield Reading(str(node['table_name']), node['access_type'], round(rows))
        for child in node.values():
            yield from _mariadb(child)

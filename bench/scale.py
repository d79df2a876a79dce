"""What things cost on an empty table of jobs and on a full one, side by side: `python -m bench.scale`.

Two databases on one server take turns, one with 1,000 waiting jobs alone, the other with finished ones as well, so that
what else the machine does meanwhile falls on both alike. Then each statement's plan is looked at, on both.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import django

if TYPE_CHECKING:
    from .operations import Ground, Operation

RESULTS = Path(__file__).parent / 'results' / 'scale.json'
LIMIT = 1.3
#: From so many finished jobs on, the plans are judged.
JUDGED = 100_000
SIZES = (0, 10_000, 100_000, 1_000_000)


def main() -> int:
    """Fill, measure, look at the plans, print, write."""
    arguments = _arguments()
    os.environ['DJANGO_SETTINGS_MODULE'] = 'bench.scale_settings'
    django.setup()
    with _databases(arguments.keep, arguments.filled):
        if not arguments.filled:
            _fill('default', 0)
        results = [_measure(size, arguments) for size in arguments.sizes]
    print(_table(results))
    # On a table that is not large, reading all of it may be the cheapest plan, and does no harm.
    large = [result for result in results if result['finished'] >= JUDGED]
    faults = [fault for result in large for row in result['operations'] for fault in row['faults']]
    for fault in faults:
        print(f'PLAN: {fault}')
    if arguments.json:
        told = {'python': platform.python_version(), 'django': django.__version__, 'results': results}
        arguments.json.parent.mkdir(exist_ok=True)
        arguments.json.write_text(json.dumps(told, indent=1) + '\n')
    return 1 if faults else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser('python -m bench.scale', description=__doc__)
    parser.add_argument('--sizes', type=int, nargs='+', default=SIZES, help='finished jobs on the full table')
    parser.add_argument('--rounds', type=int, default=7)
    parser.add_argument('--retention', type=int, default=10_000, help='how many jobs a round of retention deletes')
    parser.add_argument('--quick', action='store_true', help='fewer rows, fewer rounds')
    parser.add_argument('--only', help='operations whose name contains this')
    parser.add_argument('--keep', action='store_true', help='leave the databases there afterwards')
    parser.add_argument('--filled', action='store_true', help='use the databases that --keep has left, of the one size')
    parser.add_argument('--json', type=Path, default=RESULTS, help='where to write the results')
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.sizes, arguments.rounds, arguments.retention = (0, 10_000), 3, 1_000
    return arguments


@contextmanager
def _databases(keep: bool, filled: bool) -> Iterator[None]:
    """Both databases, made and migrated; and a database of Redis that was empty before, and is again."""
    from django.core.management import call_command
    from django.db import connections

    from netbox_jobs.broker import delivery

    from .scale_settings import Switch

    redis = delivery.queue('default').connection
    if redis.dbsize():
        raise SystemExit('The Redis database is not empty; name another one in BENCH_REDIS_URL.')
    try:
        for alias in () if filled else ('default', 'full'):
            _run_on_server(alias, 'DROP DATABASE IF EXISTS {}', 'CREATE DATABASE {}')
            Switch.alias = alias
            call_command('migrate', database=alias, verbosity=0)
        yield
    finally:
        redis.flushdb()
        connections.close_all()
        if not keep:
            for alias in ('default', 'full'):
                _run_on_server(alias, 'DROP DATABASE IF EXISTS {}')


def _fill(alias: str, finished: int) -> None:
    """The rows, and the statistics of the hours, which workers add up as the hours end."""
    from netbox_jobs.maintenance import statistics

    from . import rows
    from .scale_settings import Switch

    rows.fill(alias, finished)
    Switch.alias = alias
    statistics.roll_up()
    rows.analyze(alias)


def _run_on_server(alias: str, *statements: str) -> None:
    from django.db import connections

    connection = connections[alias]
    name = connection.ops.quote_name(connection.settings_dict['NAME'])
    with connection._nodb_cursor() as cursor:
        for statement in statements:
            cursor.execute(statement.format(name))


def _measure(size: int, arguments: argparse.Namespace) -> dict[str, Any]:
    from . import rows
    from .operations import Ground, operations
    from .scale_settings import Switch

    began = time.monotonic()
    Switch.alias = 'full'
    if not arguments.filled:
        _fill('full', size)
    print(f'{size:,} finished jobs: filled in {time.monotonic() - began:.0f} s.', file=sys.stderr)
    known = rows.delivered(['default', 'full'])
    grounds = {alias: Ground(alias, known) for alias in ('default', 'full')}
    found = []
    for operation in operations(arguments.retention):
        if (arguments.only or '') in operation.name:
            found.append(_compare(operation, grounds, arguments.rounds))
            print(f'  {_line(found[-1])}', file=sys.stderr)
    return {'finished': size, 'operations': found}


def _compare(operation: 'Operation', grounds: 'dict[str, Ground]', rounds: int) -> dict[str, Any]:
    """Samples from both in turn, in changing order; and the plans of both."""
    from .plans import explained

    samples: dict[str, list[tuple[float, float]]] = {alias: [] for alias in grounds}
    for number in range(rounds + 1):
        for alias in sorted(grounds, reverse=bool(number % 2)):
            sample = _sample(operation, alias, grounds[alias])
            if number:  # the first one warms what is cached
                samples[alias].append(sample)
    plans = {}
    for alias, ground in grounds.items():
        given = _prepare(operation, alias, ground)
        with explained(alias) as plans[alias]:
            operation.act(given)
        ground.restore()
    (empty, full), (cpu_empty, cpu_full) = (
        [statistics.median(sample[place] for sample in samples[alias]) for alias in ('default', 'full')]
        for place in (0, 1)
    )
    each = [b[0] / a[0] for a, b in zip(samples['default'], samples['full'], strict=True)]
    reads = {alias: max((plan.rows for plan in plans[alias]), default=0) for alias in plans}
    return {
        'name': operation.name,
        'empty_ms': round(empty * 1000, 3),
        'full_ms': round(full * 1000, 3),
        'ratio': round(full / empty, 2),
        'cpu_ms': [round(cpu_empty * 1000, 3), round(cpu_full * 1000, 3)],
        'cpu_ratio': round(cpu_full / cpu_empty, 2),
        'range': [round(min(each), 2), round(max(each), 2)],
        'rows_read': [reads['default'], reads['full']],
        'faults': [
            f'{operation.name}: {fault}'[:200]
            for plan in plans['full']
            for fault in plan.faults(reads['default'], operation.bound)
        ],
    }


def _prepare(operation: 'Operation', alias: str, ground: 'Ground') -> Any:
    from .scale_settings import Switch

    Switch.alias = alias
    ground.restore()
    return operation.prepare()


def _sample(operation: 'Operation', alias: str, ground: 'Ground') -> tuple[float, float]:
    """Seconds for one act, and seconds of CPU time."""
    total = cpu = 0.0
    for time_ in range(operation.times):
        given = _prepare(operation, alias, ground) if time_ == 0 else operation.prepare()
        began, cpu_began = time.perf_counter(), _cpu(alias)
        operation.act(given)
        total += time.perf_counter() - began
        cpu += _cpu(alias) - cpu_began
    ground.restore()
    if operation.times == 1:
        ground.vacuum()
    return total / operation.times, cpu / operation.times


def _cpu(alias: str) -> float:
    """The CPU time of this process, and of the session of a PostgreSQL on this host: a busy machine delays neither."""
    from django.db import connections

    connection, spent = connections[alias], time.process_time()
    if connection.vendor == 'postgresql':
        connection.ensure_connection()
        with suppress(OSError, ValueError):
            process = Path('/proc') / str(connection.connection.info.backend_pid)
            if process.joinpath('comm').read_text().startswith('postgres'):
                spent += int(process.joinpath('schedstat').read_text().split()[0]) / 1e9
    return spent


def _line(row: dict[str, Any]) -> str:
    low, high = row['range']
    mark = '' if row['cpu_ratio'] <= LIMIT else '  <- over the limit'
    return (
        f'{row["name"]:<42} {row["empty_ms"]:>9.2f} {row["full_ms"]:>9.2f} ms  {row["ratio"]:>5.2f} '
        f'({low:.2f} to {high:.2f}), CPU {row["cpu_ms"][0]:.2f} {row["cpu_ms"][1]:.2f} ms {row["cpu_ratio"]:.2f}, '
        f'rows {row["rows_read"][0]} / {row["rows_read"][1]}{mark}'
    )


def _table(results: list[dict[str, Any]]) -> str:
    """The results in Markdown."""
    head = ' | '.join(f'{result["finished"]:,}' for result in results)
    lines = [f'| | {head} |', f'|---|{"---|" * len(results)}']
    for row, *_ in zip(*(result['operations'] for result in results), strict=False):
        cells = []
        for result in results:
            same = next((each for each in result['operations'] if each['name'] == row['name']), None)
            cells.append(f'{same["full_ms"]:.2f} ms, {same["ratio"]:.2f}x' if same else '')
        lines.append(f'| {row["name"]} | {" | ".join(cells)} |')
    return '\n'.join(lines)


if __name__ == '__main__':
    sys.exit(main())

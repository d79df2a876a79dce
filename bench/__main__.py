"""`python -m bench [--quick] [--json PATH] [--only WORD]`: measure ourselves next to what RQ and the database can do.

Needs PostgreSQL and Redis (`BENCH_DATABASE_URL`, `BENCH_REDIS_URL`, `BENCH_FLOOR_REDIS_URL`); makes a database of its
own, and empties the two Redis databases, which must be empty or left over from an earlier benchmark.
"""

import argparse
import json
import os
import platform
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import broker
from .series import table, write_into


def main() -> int:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(prog='bench', description=__doc__)
    parser.add_argument('--quick', action='store_true', help='fewer and smaller rounds: about five minutes')
    parser.add_argument('--rounds', type=int, help='how many interleaved rounds (default 5; 3 with --quick)')
    parser.add_argument('--only', choices=GROUPS, action='append', help='measure only this; may be given again')
    parser.add_argument('--drain', type=int, help='how many jobs wait at the beginning of the drain')
    parser.add_argument('--docs', type=Path, help='a page of the documentation that shows the results')
    parser.add_argument('--json', type=Path, default=Path('bench.json'), help='where to write the numbers')
    options = parser.parse_args()
    os.environ['DJANGO_SETTINGS_MODULE'] = 'bench.settings'

    import django

    django.setup()
    from django.conf import settings
    from django.db import connection

    os.environ['BENCH_REDIS_URL'], os.environ['BENCH_FLOOR_REDIS_URL'] = settings.OUR_REDIS, settings.FLOOR_REDIS
    if connection.vendor != 'postgresql':
        print('The benchmark needs PostgreSQL: set BENCH_DATABASE_URL.', file=sys.stderr)
        return 2
    if not broker.claim(settings.OUR_REDIS) or not broker.claim(settings.FLOOR_REDIS):
        return 2
    before = connection.settings_dict['NAME']
    made = connection.creation.create_test_db(verbosity=0, autoclobber=True)
    base = os.environ.get('BENCH_DATABASE_URL', 'postgres://postgres@127.0.0.1:5432/netbox_jobs_bench')
    os.environ['BENCH_DATABASE_URL'] = f'{base.rsplit("/", 1)[0]}/{made}'
    try:
        rows = _measure(options)
    finally:
        connection.creation.destroy_test_db(before, verbosity=0)
        for url in (settings.OUR_REDIS, settings.FLOOR_REDIS):
            broker.release(url)
    print(table(rows))
    report = {'when': datetime.now(UTC).isoformat(timespec='seconds'), 'quick': options.quick, **_machine()}
    report['rows'] = [row.as_dict() for row in rows]
    options.json.write_text(json.dumps(report, indent=1))
    if options.docs:
        write_into(options.docs, f'{_origin(report)}\n\n{table(rows)}')
    print(f'\nThe numbers are in {options.json}.')
    return 0


GROUPS = ('enqueue', 'workers', 'flow', 'many', 'drain', 'lines', 'idle')


def _measure(options: argparse.Namespace) -> list:
    from . import crews, draining, enqueueing, flowing, idling, lines, working

    rounds = options.rounds or (3 if options.quick else 5)
    quick = options.quick
    number = 20_000 if quick else 100_000
    plans = {
        'enqueue': (enqueueing.rows(), enqueueing.measure, {'times': 3 if quick else 8}),
        'workers': (working.rows(), working.measure, {'jobs': 600 if quick else 1800}),
        'flow': (flowing.rows(), flowing.measure, {'jobs': 1000 if quick else 4000}),
        'many': (crews.rows(), crews.measure, {'jobs': 400 if quick else 2000}),
        'drain': (draining.rows(), draining.measure, {'jobs': options.drain or (5_000 if quick else 50_000)}),
        'lines': (lines.rows(number), lines.measure, {'lines': number}),
        'idle': (idling.rows(), idling.measure, {'times': 10 if quick else 30}),
    }
    found = []
    for name in options.only or GROUPS:
        _clear()  # what one group leaves in the queues, the workers of the next would run first
        rows, measure, size = plans[name]
        begin = time.monotonic()
        for word in measure(*rows, rounds=rounds, **size):
            print(f'{word} of {rounds} ({time.monotonic() - begin:.0f} s)', file=sys.stderr, flush=True)
        found += rows
    return found


def _clear() -> None:
    from django.conf import settings
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute('TRUNCATE netbox_jobs_job CASCADE')
    for url in (settings.OUR_REDIS, settings.FLOOR_REDIS):
        broker.claim(url)


def _origin(report: dict[str, Any]) -> str:
    """When and where a run was, in a sentence."""
    day = datetime.now(UTC)
    versions = f'Python {report["python"]}, Django {report["Django"]}, RQ {report["rq"]}, psycopg {report["psycopg"]}'
    return f'From {day:%d %B %Y}, on {report["cpus"]} cores. {versions}. Medians, and the range of the rounds.'


def _machine() -> dict[str, object]:
    from importlib.metadata import version

    names = ('Django', 'rq', 'redis', 'psycopg')
    return {
        'python': platform.python_version(),
        'cpus': os.cpu_count(),
        'load': os.getloadavg()[0],
        **{name: version(name) for name in names},
    }


if __name__ == '__main__':
    sys.exit(main())

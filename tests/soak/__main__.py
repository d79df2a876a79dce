"""`python -m tests.soak --seconds 28800`: three workers at 50 jobs a second, and what they hold, every ten seconds.

Ended jobs are deleted when they are `--keep` seconds old, so that the tables should stay as large as they are by then.
Writes a CSV, and prints a table with the change of each measure an hour. Exits with 1 if a job was lost.
"""

import argparse
import csv
import os
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import django

from tests.faults.servers import Postgres


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--seconds', type=float, default=8 * 3600)
    parser.add_argument('--rate', type=float, default=50, help='jobs a second')
    parser.add_argument('--keep', type=float, default=600, help='seconds after which ended jobs are deleted')
    parser.add_argument('--every', type=float, default=10, help='seconds between two samples')
    parser.add_argument('--csv', default='soak.csv')
    parser.add_argument('--database', help='a PostgreSQL with default settings is started if it is omitted')
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix='netbox-jobs-soak-') as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)  # the server has a user of its own
        if options.database is None:
            server = Postgres(folder / 'postgres')
            stack.callback(server.kill)
            server.create()
            options.database = server.url
        return _with_database(options, folder, stack)


def _with_database(options: argparse.Namespace, folder: Path, stack: ExitStack) -> int:
    os.environ['TEST_DATABASE_URL'], os.environ['DJANGO_SETTINGS_MODULE'] = options.database, 'tests.settings'

    from tests import nursery
    from tests.processes import RedisProcess

    redis = RedisProcess()
    stack.callback(redis.kill)
    os.environ['TEST_REDIS_URL'] = redis.url
    django.setup()
    from django.db import connection

    name = connection.settings_dict['NAME']
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    stack.callback(connection.creation.destroy_test_db, name, verbosity=0)
    stack.callback(nursery.close)
    return _soak(options, folder, redis.url)


def _soak(options: argparse.Namespace, folder: Path, redis_url: str) -> int:
    from redis import Redis

    from netbox_jobs.models import Job
    from tests.processes import WorkerProcess, wait_for

    from .samples import sample, slopes

    workers = [WorkerProcess(folder / 'forking.log')]
    workers += [WorkerProcess(folder / f'fast-{number}.log', '--fast') for number in (1, 2)]
    client = Redis.from_url(redis_url)
    over = threading.Event()
    caller = threading.Thread(target=_enqueue, args=(options, over))
    samples: list[dict[str, float]] = []
    try:
        caller.start()
        begun = time.monotonic()
        with Path(options.csv).open('w', newline='') as file:
            while time.monotonic() - begun < options.seconds:
                samples.append({'seconds': round(time.monotonic() - begun, 1), **sample(workers, client)})
                if len(samples) == 1:
                    writer = csv.DictWriter(file, samples[0].keys())
                    writer.writeheader()
                writer.writerow({key: round(value, 3) for key, value in samples[-1].items()})
                file.flush()
                time.sleep(options.every)
        over.set()
        caller.join(60)
        own = Job.objects.filter(name='Soaking')
        with suppress(AssertionError):
            wait_for(lambda: not own.exclude(status='completed').exists(), 900, 'the last jobs')
        odd = own.exclude(status='completed').count()
    finally:
        over.set()
        for worker in workers:
            worker.discard()
    print('| measure | first quarter | last quarter | change an hour, in the second half |\n|---|---|---|---|')
    for measure, first, last, slope in slopes(samples):
        print(f'| {measure} | {first:,.1f} | {last:,.1f} | {slope:+,.1f} |')
    print(
        f'\n{made[0]:,} jobs in {options.seconds:,.0f} s, {odd} not completed; {len(samples)} samples in {options.csv}'
    )
    return int(odd > 0)


#: How many jobs were enqueued.
made = [0]


def _enqueue(options: argparse.Namespace, over: threading.Event) -> None:
    """Enqueue at the rate, and delete what has ended long ago."""
    from django.db import connections

    from netbox_jobs.maintenance.retention import prune
    from tests.app.counted import Soaking

    begun = time.monotonic()
    while not over.is_set():
        Soaking.enqueue(number=made[0])
        made[0] += 1
        if made[0] % 500 == 0:
            prune(options.keep / 86400, limit=1000)
        time.sleep(max(0.0, begun + made[0] / options.rate - time.monotonic()))
    connections.close_all()


if __name__ == '__main__':
    sys.exit(main())

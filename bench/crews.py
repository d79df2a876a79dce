"""Several workers at once: jobs that wait, a machine that is busy, and one database for many."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Max, Min
from redis import Redis

from netbox_jobs.models import Job

from .app.jobs import Counting, Sleeping
from .series import Row
from .working import run

#: Seconds that a job of the first row sleeps, and by how many workers it is run.
SLEEP, SLEEPERS = 0.01, 4
#: The workers on one database, and those that they are compared with.
MANY, FEW = 32, 4
#: Seconds for workers to start, and to run their jobs.
PATIENCE = 300


def rows() -> list[Row]:
    """The lines of the table."""
    return [
        Row(f'{SLEEPERS} fast workers, jobs of 10 ms', 'jobs/s', 'what the sleep allows', 0.95, more_is_better=True),
        Row('forking worker, all cores busy', 'jobs/s', 'raw rq, forking, empty function', 0.9, more_is_better=True),
        Row(f'{MANY} fast workers', 'jobs/s', f'{FEW} fast workers', 0.9, more_is_better=True),
        Row(f'{MANY} fast workers: runs of a job', 'runs', 'once', 1),
    ]


def measure(sleeping: Row, busy: Row, many: Row, once: Row, *, rounds: int, jobs: int) -> Iterator[str]:
    """Measure round after round; yields a word after each."""
    for number in range(rounds):
        with crew(SLEEPERS):
            sleeping.ours.values.append(_rate(Sleeping, jobs, seconds=SLEEP))
        sleeping.floor.values.append(SLEEPERS / SLEEP)
        with _busy_cores():
            busy.floor.values.append(run('raw', jobs // 20)['rate'])
            busy.ours.values.append(run('forking', jobs // 20)['rate'])
        with crew(FEW):
            many.floor.values.append(_rate(Counting, jobs))
        with crew(MANY):
            many.ours.values.append(_rate(Counting, jobs))
        once.ours.values.append(int(_redis().get('bench:runs') or 0) / jobs)
        once.floor.values.append(1.0)
        yield f'many workers {number + 1}'


def _redis() -> Any:
    return Redis.from_url(settings.OUR_REDIS)


@contextmanager
def crew(count: int, *options: str) -> Iterator[list[int]]:
    """So many fast workers that wait for jobs; their process ids."""
    with connection.cursor() as cursor:
        cursor.execute('TRUNCATE netbox_jobs_job, netbox_jobs_worker CASCADE')
    redis = _redis()
    redis.flushdb()
    redis.set('bench', 1)  # the mark of the benchmark
    command = [sys.executable, '-m', 'django', 'rqworker', '--fast', *options]
    quiet = subprocess.DEVNULL
    processes = [subprocess.Popen(command, stdout=quiet, stderr=quiet, start_new_session=True) for _ in range(count)]
    try:
        wait_until(lambda: redis.scard('rq:workers') == count)
        time.sleep(1)
        yield [process.pid for process in processes]
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _rate(runner: Any, jobs: int, **arguments: Any) -> float:
    """Jobs a second, from the first begin to the last end."""
    _redis().delete('bench:runs')
    runner.enqueue_many([arguments] * jobs)
    wait_until(lambda: not Job.objects.exclude(status='completed').exists())
    found = Job.objects.aggregate(begin=Min('started'), end=Max('completed'))
    return jobs / float((found['end'] - found['begin']).total_seconds())


def wait_until(true: Any) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > deadline:
            raise RuntimeError(f'The workers were not done within {PATIENCE} s.')
        time.sleep(0.1)


@contextmanager
def _busy_cores() -> Iterator[None]:
    """One process for each core that does nothing but compute."""
    spin = [sys.executable, '-c', 'while True: pass']
    processes = [subprocess.Popen(spin) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()

"""How many jobs a second a worker runs, next to RQ's own."""

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.db import connection
from redis import Redis
from rq import Queue

from . import floors
from .app.jobs import Nothing
from .app.models import Row as PlainRow
from .series import Row, Series

KINDS = ('raw', 'raw with statements', 'forking', 'raw simple', 'fast')


def rows() -> list[Row]:
    """The lines of the table."""
    return [
        Row(
            'forking worker, no-op', 'jobs/s', 'raw rq, forking: a connection, a claim, a read, an UPDATE', 1.5,
            more_is_better=True, reference='0.24x (of raw rq without them)',
        ),
        Row(
            'fast worker, no-op, one child', 'jobs/s', 'raw rq, forking, empty function', 4,
            more_is_better=True, reference='0.24x (its forking worker)',
        ),
        Row(
            'fast worker, no-op, one child', 'jobs/s', 'raw rq, SimpleWorker, the three statements', 4,
            more_is_better=True, reference='0.3x (its SimpleWorker, of raw rq without them)',
        ),
        Row('fast worker, CPU of a no-op job', 'ms', 'raw rq, SimpleWorker, the three statements', 0.9, absolute=True),
    ]  # fmt: skip


def measure(forking: Row, fast: Row, simple: Row, cpu_row: Row, *, rounds: int, jobs: int) -> Iterator[str]:
    """Measure round after round; yields a word after each."""
    cpu: dict[str, Series] = {kind: Series() for kind in KINDS}
    for number in range(rounds):
        rates = {}
        for kind in KINDS:
            found = run(kind, jobs if 'fast' in kind or 'simple' in kind else jobs // 6)
            rates[kind] = found['rate']
            cpu[kind].values.append(found['cpu_ms'])
        forking.ours.values.append(rates['forking'])
        forking.floor.values.append(rates['raw with statements'])
        fast.ours.values.append(rates['fast'])
        fast.floor.values.append(rates['raw'])
        simple.ours.values.append(rates['fast'])
        simple.floor.values.append(rates['raw simple'])
        cpu_row.ours.values.append(cpu['fast'].values[-1])
        cpu_row.floor.values.append(cpu['raw simple'].values[-1])
        yield f'workers {number + 1}'
    forking.notes = {'cpu_ms_per_job': cpu['forking'].median, 'floor_cpu_ms_per_job': cpu['raw with statements'].median}
    fast.notes = {'cpu_ms_per_job': cpu['fast'].median, 'floor_cpu_ms_per_job': cpu['raw'].median}


def run(kind: str, jobs: int) -> dict[str, Any]:
    """Have one worker of this kind run so many jobs; returns what `bench.worker` has found."""
    _load(kind, jobs)
    done = subprocess.run(
        [sys.executable, '-m', 'bench.worker', kind],
        capture_output=True,
        text=True,
        timeout=300,
    )
    if done.returncode:
        raise RuntimeError(f'The worker {kind!r} failed:\n{done.stderr[-3000:]}')
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if found['jobs'] != jobs:
        raise RuntimeError(f'The worker {kind!r} ran {found["jobs"]} of {jobs} jobs:\n{done.stderr[-3000:]}')
    return found


def _load(kind: str, jobs: int) -> None:
    """Put so many jobs into the queue that this kind of worker empties."""
    with connection.cursor() as cursor:
        cursor.execute('TRUNCATE netbox_jobs_job CASCADE')
    if not kind.startswith('raw'):
        Nothing.enqueue_many([{}] * jobs)
        return
    keys = [uuid.uuid4() for _ in range(jobs)]
    PlainRow.objects.bulk_create(PlainRow(job_id=key, runner='floor', queue_name='default') for key in keys)
    queue = Queue('default', connection=Redis.from_url(settings.FLOOR_REDIS))
    target = floors.nothing if kind == 'raw' else floors.three_statements
    queue.enqueue_many([Queue.prepare_data(target, args=(str(key),), job_id=str(key)) for key in keys])

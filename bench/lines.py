"""How fast one job writes its log, next to a bulk insert of the same lines."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator

import django

from .series import Row

MESSAGE = 'line %s of a log that a person is going to read'


def rows(lines: int) -> list[Row]:
    """The lines of the table."""
    return [
        Row(
            f'log lines, {lines:,} by one job',
            'lines/s',
            'bulk_create of the same rows, 500 at a time',
            0.5,
            more_is_better=True,
        ),
        Row('the same: peak memory', 'MiB', 'the job when it has written a tenth of them', 1.1),
    ]


def measure(speed: Row, memory: Row, *, rounds: int, lines: int) -> Iterator[str]:
    """Measure round after round, in a process of its own; yields a word after each."""
    for number in range(rounds):
        done = subprocess.run(
            [sys.executable, '-m', 'bench.lines', str(lines)],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=300,
        )
        found = json.loads(done.stdout.splitlines()[-1])
        speed.floor.values.append(lines / found['floor'])
        speed.ours.values.append(lines / found['ours'])
        memory.floor.values.append(found['peaks'][1])
        memory.ours.values.append(found['peaks'][-1])
        yield f'log lines {number + 1}'


def main(lines: int) -> None:
    """Run the job in this process, as a worker's child does, and then insert the same rows."""
    from django.utils import timezone

    from netbox_jobs.execution import perform
    from netbox_jobs.models import JobLogEntry

    from .app.jobs import Logging

    job = Logging.enqueue(lines=lines, message=MESSAGE)
    perform(str(job.job_id))
    job.refresh_from_db()
    written = JobLogEntry.objects.filter(job_id=job.pk).count()
    if written != lines:
        raise RuntimeError(f'{written} of {lines} lines were written; the job is {job.status}: {job.error}')
    begin = time.perf_counter()
    for first in range(0, lines, 500):
        JobLogEntry.objects.bulk_create(
            JobLogEntry(job_id=job.pk, attempt=1, level='info', message=MESSAGE % number, timestamp=timezone.now())
            for number in range(first, min(first + 500, lines))
        )
    floor = time.perf_counter() - begin
    print(json.dumps({'ours': job.execution_time.total_seconds(), 'floor': floor, 'peaks': job.data['peaks']}))


if __name__ == '__main__':
    django.setup()
    main(int(sys.argv[1]))

"""What is measured of the processes, Redis and the database; and how it changes with time."""

import statistics
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.db import connection

from netbox_jobs.models import Job

#: The tables that jobs are written to.
_TABLES = ('netbox_jobs_job', 'netbox_jobs_joblogentry')


def memory(pid: int) -> float:
    """Return the memory of a process in MiB, with its share of what it shares (PSS)."""
    with suppress(OSError):
        for line in Path(f'/proc/{pid}/smaps_rollup').read_text().splitlines():
            if line.startswith('Pss:'):
                return int(line.split()[1]) / 1024
    return 0.0


def descriptors(pid: int) -> int:
    """Return how many files a process has open."""
    with suppress(OSError):
        return len(list(Path(f'/proc/{pid}/fd').iterdir()))
    return 0


def sample(workers: Sequence[Any], redis: Any) -> dict[str, float]:
    """Measure everything once.

    Args:
        workers: The workers, as `WorkerProcess`.
        redis: A client.
    """
    found: dict[str, float] = {}
    for number, worker in enumerate(workers, 1):
        children = worker.horses()
        found[f'parent {number}, MiB'] = memory(worker.pid)
        found[f'parent {number}, descriptors'] = descriptors(worker.pid)
        found[f'children {number}, MiB'] = sum(map(memory, children))
        found[f'children {number}, descriptors'] = max(map(descriptors, children), default=0)
    found['Redis, MiB'] = redis.info('memory')['used_memory'] / 2**20
    found['Redis, keys'] = redis.dbsize()
    found['jobs waiting'] = Job.objects.waiting().count()
    found['jobs ended'] = Job.objects.ended().count()
    return found | _database()


def _database() -> dict[str, float]:
    if connection.vendor != 'postgresql':
        return {}
    found: dict[str, float] = {}
    with connection.cursor() as cursor:
        cursor.execute('SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()')
        found['sessions'] = cursor.fetchone()[0]
        for table in _TABLES:
            cursor.execute(
                'SELECT pg_total_relation_size(relid), n_live_tup, n_dead_tup, autovacuum_count '
                'FROM pg_stat_user_tables WHERE relname = %s',
                [table],
            )
            size, live, dead, vacuums = cursor.fetchone()
            name = table.removeprefix('netbox_jobs_')
            found |= {f'{name}, MiB': size / 2**20, f'{name}, live rows': live, f'{name}, dead rows': dead}
            found[f'{name}, autovacuums'] = vacuums
    return found


def slopes(samples: Sequence[dict[str, float]]) -> list[tuple[str, float, float, float]]:
    """Return each measure with its median in the first and last quarter, and its change an hour in the second half."""
    late, quarter = samples[len(samples) // 2 :], max(1, len(samples) // 4)
    seconds = [row['seconds'] for row in late]
    found = []
    for name in samples[0]:
        if name == 'seconds':
            continue
        values = [row.get(name, 0.0) for row in late]
        slope = statistics.linear_regression(seconds, values).slope * 3600 if len(late) > 1 else 0.0
        first, last = samples[:quarter], samples[-quarter:]
        found.append((name, _median(first, name), _median(last, name), slope))
    return found


def _median(samples: Sequence[dict[str, float]], name: str) -> float:
    return statistics.median(row.get(name, 0.0) for row in samples)

"""Which tools are compared, what differs in what they do for a job, and the table of the results."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Peer:
    """One tool, as it is measured."""

    key: str
    title: str
    packages: tuple[str, ...]
    #: How what it does for each job differs from what the others do.
    note: str


PEERS = (
    Peer(
        'ours',
        'netbox_jobs, forking worker',
        ('netbox-jobs', 'rq'),
        'Job, arguments and outcome are a row, written in the transaction of the caller. Each job has a '
        'process and a database connection of its own. Log lines are visible while the job runs.',
    ),
    Peer(
        'ours_fast',
        'netbox_jobs, fast worker',
        ('netbox-jobs', 'rq'),
        'The same promises, in a persistent child.',
    ),
    Peer(
        'raw_rq',
        'RQ alone, forking worker',
        ('rq', 'django-rq'),
        'The job exists in Redis only; the job itself writes one row when it is done. Each job has a process.',
    ),
    Peer(
        'celery',
        'Celery, Redis, django-celery-results',
        ('celery', 'django-celery-results'),
        'Prefork, one child. Until it has run, a job exists in Redis only; then its result is a row.',
    ),
    Peer(
        'procrastinate',
        'Procrastinate',
        ('procrastinate',),
        'Job and status are a row, written in the transaction of the caller; no results. No broker. Jobs run in a '
        'thread of the worker, one at a time by default.',
    ),
    Peer(
        'tasks_db',
        'Django Tasks, database backend',
        ('django-tasks-db',),
        'Job and result are a row, written in the transaction of the caller. No broker; the worker polls once a second '
        'when it has found nothing. Jobs run in the worker itself, one at a time.',
    ),
    Peer(
        'tasks_rq',
        'Django Tasks, RQ backend',
        ('django-tasks-rq', 'rq'),
        "Job and result are in Redis; a receiver of `task_finished` writes one row, in place of a result. RQ's "
        'forking worker.',
    ),
    Peer(
        'django_q',
        'django-q2, Redis',
        ('django-q2',),
        'Until it has run, a job exists in Redis only; a process of its own writes the results. One worker beside that '
        'one, a pusher and a guard. `save_limit` 0, so that no result is dropped.',
    ),
    Peer(
        'huey',
        'Huey, PostgreSQL storage',
        ('huey',),
        'Queue and results are tables, on a connection of its own: not in the transaction of the caller. The job is '
        'taken out of its table when it begins. One thread by default.',
    ),
    Peer(
        'dramatiq',
        'Dramatiq, Redis, django_dramatiq',
        ('dramatiq', 'django-dramatiq'),
        'A row for each message, updated when it begins and ends, without a result. One process with eight threads, '
        'its default: the only one here that runs several jobs at once.',
    ),
)


def table(results: list[dict[str, Any]]) -> str:
    """The results in Markdown: medians, with the ranges of what matters most."""
    lines = [
        '| | enqueue, ms | no-op jobs/s | CPU ms | 10 lines jobs/s | CPU ms | memory, MB | processes |',
        '|---|---|---|---|---|---|---|---|',
    ]
    for result in results:
        if 'missing' in result:
            lines.append(f'| {result["title"]} | {result["missing"]} | | | | | | |')
            continue
        noop, ten = result['medians']['noop'], result['medians']['lines']
        cells = [
            _cell(noop, 'enqueue_ms', 2),
            _cell(noop, 'jobs_per_second', 0),
            _cell(noop, 'cpu_ms', 1),
            _cell(ten, 'jobs_per_second', 0),
            _cell(ten, 'cpu_ms', 1),
            _plain(noop, 'pss_mb'),
            _plain(noop, 'processes'),
        ]
        versions = ', '.join(f'{name} {number}' for name, number in result['versions'].items())
        lines.append(f'| {result["title"]} ({versions}) | {" | ".join(cells)} |')
    notes = {peer.key: peer.note for peer in PEERS}
    lines += ['', *(f'- **{result["title"]}**: {notes[result["key"]]}' for result in results)]
    return '\n'.join(lines)


def _cell(medians: dict[str, Any], name: str, digits: int) -> str:
    if name not in medians:
        return ''
    low, high = medians[name]['range']
    return f'{medians[name]["median"]:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})'


def _plain(medians: dict[str, Any], name: str) -> str:
    return f'{medians[name]["median"]:.0f}' if name in medians else ''

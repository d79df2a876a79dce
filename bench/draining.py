"""A large table of waiting jobs: whether a fast worker is as fast, and as small, at the end as at the beginning."""

import time
from collections.abc import Iterator

from django.db import connection

from netbox_jobs.models import Job

from .app.jobs import Nothing
from .crews import crew
from .idling import memory_of
from .series import Row

#: Jobs that are enqueued at once.
_AT_ONCE = 10_000
#: The parts of all jobs between which the rates are taken: behind what the start costs, and before the end.
_EARLY, _LATE = (0.05, 0.15), (0.85, 0.95)
#: Seconds without progress after which the drain has failed.
_PATIENCE = 60


def rows() -> list[Row]:
    """The lines of the table."""
    return [
        Row('drain: the last tenth', 'jobs/s', 'the first tenth', 0.9, more_is_better=True),
        Row('drain: memory at the end (PSS)', 'MiB', 'after a tenth', 1.1),
    ]


def measure(rate: Row, memory: Row, *, rounds: int, jobs: int) -> Iterator[str]:
    """Drain once for three rounds of the others; yields a word after each."""
    for number in range(max(1, rounds // 3)):
        with crew(1) as (pid,):
            for first in range(0, jobs, _AT_ONCE):
                Nothing.enqueue_many([{}] * min(_AT_ONCE, jobs - first))
            early = _wait_for(int(jobs * _EARLY[1])), memory_of(pid)
            end = _wait_for(int(jobs * _LATE[1])), memory_of(pid)
            _wait_for(jobs)
        rate.floor.values.append(_rate(jobs, _EARLY))
        rate.ours.values.append(_rate(jobs, _LATE))
        memory.floor.values.append(early[1])
        memory.ours.values.append(end[1])
        rate.notes = {'jobs': jobs}
        yield f'drain {number + 1}'


def _wait_for(number: int) -> int:
    """Wait until so many jobs have ended; returns how many have."""
    seen, since = -1, time.monotonic()
    while (done := Job.objects.filter(status='completed').count()) < number:
        if done > seen:
            seen, since = done, time.monotonic()
        elif time.monotonic() - since > _PATIENCE:
            raise RuntimeError(f'After {done} jobs, no other one ended for {_PATIENCE} s.')
        time.sleep(0.5)
    return done


def _rate(jobs: int, part: tuple[float, float]) -> float:
    """Jobs a second in a part of the drain, in the order in which they ended."""
    first, last = (int(jobs * share) for share in part)
    with connection.cursor() as cursor:
        cursor.execute(
            'SELECT extract(epoch FROM max(completed) - min(completed)) FROM ('
            'SELECT completed FROM netbox_jobs_job ORDER BY completed OFFSET %s LIMIT %s) AS part',
            [first, last - first],
        )
        (seconds,) = cursor.fetchone()
    return (last - first) / float(seconds)

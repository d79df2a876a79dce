"""What limits, rates, priorities and turns add to a job, from its call to its end."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.db.models import Max

from netbox_jobs.models import Job

from .app.jobs import InTurns, Limited, Nothing, Rated, Urgent
from .crews import crew, wait_until
from .series import Row

#: Tenants whose jobs take turns.
_TENANTS = 10
_KINDS: dict[str, Any] = {
    'with a limit of 20': Limited,
    'with a rate that is not full': Rated,
    'with a priority': Urgent,
    'in turns': InTurns,
}


def rows() -> list[Row]:
    """The lines of the table."""
    plain = 'a job without'
    return [
        *(Row(f'a job {words}, many at once', 'ms', plain, 1.2) for words in _KINDS),
        *(Row(f'a job {words}, each enqueued by itself', 'ms', plain, 1.2) for words in _KINDS),
    ]


def measure(*found: Row, rounds: int, jobs: int) -> Iterator[str]:
    """Measure round after round; yields a word after each."""
    for number in range(rounds):
        with crew(1):
            for together, rows_ in ((True, found[: len(_KINDS)]), (False, found[len(_KINDS) :])):
                amount = jobs if together else jobs // 4
                plain = _each(Nothing, amount, together=together)
                for row, runner in zip(rows_, _KINDS.values(), strict=True):
                    row.ours.values.append(_each(runner, amount, together=together))
                    row.floor.values.append(plain)
        yield f'flow control {number + 1}'


def _each(runner: Any, jobs: int, *, together: bool) -> float:
    """Milliseconds for each job, from before the first call to the last end."""
    Job.objects.all().delete()
    calls = [{'tenant': number % _TENANTS} if runner is InTurns else {} for number in range(jobs)]
    begin = time.time()
    if together:
        runner.enqueue_many(calls)
    else:
        for call in calls:
            runner.enqueue(**call)
    wait_until(lambda: not Job.objects.exclude(status='completed').exists())
    end = Job.objects.aggregate(end=Max('completed'))['end'] or datetime.now(UTC)
    return (end.timestamp() - begin) * 1000 / jobs

"""The outcome of a run that another transaction keeps from the row of its job: left beside it, for recovery to record.

A worker does not wait for a long transaction of a view. What became of the run is committed before the worker goes on;
the row says *running* until it is free, and what has happened to it by then counts more. See `record.py`.
"""

import json
import logging
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder

from ..core import runs, transactions
from ..core.suspension import Suspension
from ..models import Job, JobLogEntry, PendingChange, database
from ..models.data import storable
from .changed import kept_arguments

logger = logging.getLogger('netbox_jobs')

#: The name of an outcome among the values of a `PendingChange`.
OUTCOME = 'outcome'

_TEXT = 'The run is over. Another transaction keeps the job locked; the outcome is recorded when that has ended.'


def is_left(job: Job) -> bool:
    """Return whether the outcome of the job is left to recovery if its row is locked: that of a worker's run is."""
    run = runs.run_of(job)
    if run is None or not run.leaves or job.claim is None:
        return False
    return transactions.is_outermost(job._state.db or database())


def leave_end(job: Job, columns: dict[str, Any], using: str) -> None:
    """Leave the end of a job.

    Args:
        job: The job, with its claim.
        columns: Those of the terminal UPDATE.
        using: The alias of the database that holds the jobs.
    """
    values = {name: value for name, value in columns.items() if value is not None}
    values['completed'] = columns['completed'].isoformat()
    if 'execution_time' in values:
        values['execution_time'] = columns['execution_time'].total_seconds()
    empty = [name for name, value in columns.items() if value is None]
    _leave(job, using, end=values, empty=empty, **kept_arguments(job))


def columns_of(left: dict[str, Any]) -> dict[str, Any]:
    """Return the columns of an end that was left."""
    columns = {**left['end'], **dict.fromkeys(left['empty'])}
    columns['completed'] = datetime.fromisoformat(columns['completed'])
    if columns.get('execution_time') is not None:
        columns['execution_time'] = timedelta(seconds=columns['execution_time'])
    return columns


def leave_requeue(job: Job, due: int, after: str | None, using: str) -> None:
    """Leave that a job is to be run again.

    Args:
        job: The job, with its claim, which it loses.
        due: When, in milliseconds since the epoch.
        after: See `requeue()`.
        using: The alias of the database that holds the jobs.

    Raises:
        TypeError, ValueError: `job.data` cannot be stored.
    """
    error = None if after is None else runs.masked(job, after)
    _leave(job, using, requeue={'due': due, 'after': error}, data=storable(job))
    _let_go(job)


def leave_suspension(job: Job, suspension: Suspension, using: str) -> None:
    """Leave that a job sleeps, or waits for a signal.

    Args:
        job: The job, with its claim, which it loses.
        suspension: What it waits for.
        using: The alias of the database that holds the jobs.

    Raises:
        TypeError, ValueError: `job.data` cannot be stored.
    """
    values = {**asdict(suspension), 'started': suspension.started.isoformat()}
    _leave(job, using, suspension=values, data=storable(job))
    _let_go(job)


def suspension_of(left: dict[str, Any]) -> Suspension:
    """Return the sleep or the wait of an outcome that was left."""
    values = left['suspension']
    return Suspension(**{**values, 'started': datetime.fromisoformat(values['started'])})


def _leave(job: Job, using: str, **values: Any) -> None:
    claim = job.claim
    assert claim is not None
    values |= {'token': claim.token, 'attempt': claim.attempt, 'interval': claim.interval}
    # As text: MariaDB refuses JSON of many levels, and data that has as many is not to prevent this.
    PendingChange.leave(job, {OUTCOME: json.dumps(values, cls=DjangoJSONEncoder)}, using)
    logger.info('Job %s (%s): its outcome is recorded when its row is no longer locked.', job.pk, job.name)
    lines = JobLogEntry.from_dicts(job.pk, [{'level': 'info', 'message': _TEXT}], claim.attempt)
    JobLogEntry.objects.using(using).bulk_create(lines)


def _let_go(job: Job) -> None:
    assert job.claim is not None
    job.claim = replace(job.claim, lost=True)

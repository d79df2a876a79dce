"""The UPDATE by which a worker takes a job: the most frequent statement of all, so that its SQL is made once."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.contrib.contenttypes.models import ContentType
from django.db import connections, models
from django.db.models import F, Q
from django.db.models.sql import UpdateQuery
from django.utils import timezone

from ..choices import JobStatusChoices
from ..core import clock
from ..models import cached_sql
from ..models.jobs import Job
from ..models.queues import PausedQueue, QueueLimit
from .unlocked import made_without_waiting, update_unlocked

# Stand for what differs from claim to claim, until their places among the parameters are known.
_ANY_ID = UUID(int=0xC1A1)
_ANY_WORKER = 'worker'
_ANY_TIME = datetime(2001, 1, 1, tzinfo=UTC)
#: What a claim writes that only the row knows.
_COMPUTED = {'attempt', 'backend_id'}
#: Claims of this process whose answer has not come: of which job, and when.
_unanswered: set[tuple[UUID, datetime]] = set()


class _BackendId(models.Func):
    """The database's own number for this session, so that recovery can end it after its worker has died."""

    output_field = models.BigIntegerField()
    template = 'NULL'
    arity = 0

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template='pg_backend_pid()')

    def as_mysql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template='CONNECTION_ID()')


def values(worker: str, now: datetime) -> dict[str, Any]:
    """What a claim writes."""
    return {
        'status': JobStatusChoices.STATUS_RUNNING,
        'started': now,
        'completed': None,
        'execution_time': None,
        'worker': worker,
        'attempt': F('attempt') + 1,
        'backend_id': _BackendId(),
        'slot': None,
        'stopping': None,
    }


def take(job_id: UUID, worker: str, using: str) -> Job | None:
    """Claim a delivered job that is due, and read it; None if it is not there to be taken, or if it is locked."""
    connection, now = connections[using], timezone.now()
    with answered(job_id, now):
        if connection.vendor == 'mysql':  # has no UPDATE ... RETURNING
            if not update_unlocked(_claimable(job_id, using), **values(worker, now)):
                return None
            return Job.objects.using(using).select_related('object_type').get(job_id=job_id)
        text, given, known = statement_for(job_id, worker, now, connection)
        row = cached_sql.execute(connection, text, given, lambda cursor: cursor.fetchone())
        return None if row is None else loaded(row, known, connection)


@contextmanager
def answered(job_id: UUID, now: datetime) -> Iterator[None]:
    """Remember a claim by its time, if the database does not answer: it may have been committed all the same."""
    _unanswered.add((job_id, now))
    yield
    # Not in a `finally`: what is raised may be the loss of the answer.
    _unanswered.discard((job_id, now))


def taken_unanswered(job_id: UUID, worker: str, using: str) -> Job | None:
    """Return the job that this process has claimed, although the answer of the database was lost; else None."""
    times = [now for key, now in _unanswered.copy() if key == job_id]
    if not times:
        return None
    _unanswered.difference_update((job_id, now) for now in times)
    rows = Job.objects.using(using).running().filter(job_id=job_id, worker=worker)
    return rows.filter(started__in=[clock.to_stored(now) for now in times]).select_related('object_type').first()


def is_there(job_id: UUID, using: str) -> bool:
    """Return whether a job is there to be taken."""
    return bool(_claimable(job_id, using).exists())


def statement_for(job_id: UUID, worker: str, now: datetime, connection: Any) -> tuple[str, list[Any], dict[str, Any]]:
    """Return the claim as one UPDATE, its parameters, and what it writes into the columns that it does not return."""
    text, parameters, places = _statement(connection.alias, connection.vendor)
    given = list(parameters)
    for place, value in zip(places, _prepared(job_id, worker, now, connection), strict=True):
        given[place] = value
    return text, given, {name: value for name, value in values(worker, now).items() if name not in _COMPUTED}


def loaded(row: Any, known: dict[str, Any], connection: Any) -> Job:
    """Return the claimed job: what the claim has returned, and what it has written."""
    job = cached_sql.loaded(row, known, connection)
    if job.object_type_id is not None:
        job.object_type = ContentType.objects.db_manager(connection.alias).get_for_id(job.object_type_id)
    return job


def _claimable(job_id: UUID, using: str) -> Any:
    rows = Job.objects.using(using).filter(job_id=job_id, status=JobStatusChoices.STATUS_PENDING, due__isnull=False)
    limited = QueueLimit.objects.using(using).filter(most__isnull=False).values('name')
    rows = rows.filter(Q(slotted=True) | ~Q(queue_name__in=limited), held=False)
    return rows.exclude(queue_name__in=PausedQueue.objects.using(using).values('name'))


@lru_cache
def _statement(using: str, vendor: str) -> tuple[str, tuple[Any, ...], tuple[int, ...]]:
    """The SQL, its parameters, and where among them are id, worker and time."""
    connection: Any = connections[using]
    any_time = clock.to_stored(_ANY_TIME)
    query = _claimable(_ANY_ID, using).query.chain(UpdateQuery)
    written = values(_ANY_WORKER, any_time)
    query.add_update_values(written)
    text, parameters = made_without_waiting(query, using)
    varying = _prepared(_ANY_ID, _ANY_WORKER, any_time, connection)
    if vendor == 'postgresql':  # what is the same in each claim becomes a part of the text
        marks = ['%s' if value in varying else cached_sql.literal(value, connection) for value in parameters]
        text = ''.join(part + mark for part, mark in zip(text.split('%s'), [*marks, ''], strict=True))
        parameters = tuple(value for value in parameters if value in varying)
    returned = cached_sql.columns(written.keys() - _COMPUTED, connection)
    return f'{text} RETURNING {returned}', tuple(parameters), tuple(list(parameters).index(value) for value in varying)


def _prepared(job_id: UUID, worker: str, now: datetime, connection: Any) -> list[Any]:
    """These values as the database is given them."""
    given: tuple[tuple[str, Any], ...] = (('job_id', job_id), ('worker', worker), ('started', now))
    return [cached_sql.prepared(name, value, connection) for name, value in given]

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
    now = timezone.now()
    with answered(job_id, now):
        if connections[using].vendor == 'mysql':  # has no UPDATE ... RETURNING
            if not update_unlocked(_claimable(job_id, using), **values(worker, now)):
                return None
            return Job.objects.using(using).select_related('object_type').get(job_id=job_id)
        row = cached_sql.execute(using, *statement_for(job_id, worker, now, using), lambda cursor: cursor.fetchone())
        return None if row is None else loaded(row, using)


@contextmanager
def answered(job_id: UUID, now: datetime) -> Iterator[None]:
    """Remember a claim by its time, if the database does not answer: it may have been committed all the same."""
    _unanswered.add((job_id, now))
    yield
    # Not in a `finally`: what is raised may be the loss of the answer.
    _unanswered.discard((job_id, now))


def taken_unanswered(job_id: UUID, worker: str, using: str) -> Job | None:
    """Return the job that this process has claimed, although the answer of the database was lost; else None."""
    times = [now for key, now in _unanswered if key == job_id]
    if not times:
        return None
    _unanswered.difference_update((job_id, now) for now in times)
    rows = Job.objects.using(using).running().filter(job_id=job_id, worker=worker)
    return rows.filter(started__in=[clock.to_stored(now) for now in times]).select_related('object_type').first()


def is_there(job_id: UUID, using: str) -> bool:
    """Return whether a job is there to be taken."""
    return bool(_claimable(job_id, using).exists())


def statement_for(job_id: UUID, worker: str, now: datetime, using: str) -> tuple[str, list[Any]]:
    """Return the claim as one UPDATE that returns all columns, and its parameters."""
    text, parameters, places = _statement(using, connections[using].vendor)
    given = list(parameters)
    for place, value in zip(places, _prepared(job_id, worker, now, using), strict=True):
        given[place] = value
    return text, given


def loaded(row: Any, using: str) -> Job:
    """Return the claimed job, from the row that the claim has returned."""
    job = cached_sql.loaded(row, using)
    if job.object_type_id is not None:
        job.object_type = ContentType.objects.db_manager(using).get_for_id(job.object_type_id)
    return job


def _claimable(job_id: UUID, using: str) -> Any:
    rows = Job.objects.using(using).filter(job_id=job_id, status=JobStatusChoices.STATUS_PENDING, due__isnull=False)
    limited = QueueLimit.objects.using(using).filter(most__isnull=False).values('name')
    rows = rows.filter(Q(slotted=True) | ~Q(queue_name__in=limited), held=False)
    return rows.exclude(queue_name__in=PausedQueue.objects.using(using).values('name'))


@lru_cache
def _statement(using: str, vendor: str) -> tuple[str, tuple[Any, ...], tuple[int, ...]]:
    """The SQL, its parameters, and where among them are id, worker and time."""
    any_time = clock.to_stored(_ANY_TIME)
    query = _claimable(_ANY_ID, using).query.chain(UpdateQuery)
    query.add_update_values(values(_ANY_WORKER, any_time))
    text, parameters = made_without_waiting(query, using, one=True)
    places = tuple(list(parameters).index(value) for value in _prepared(_ANY_ID, _ANY_WORKER, any_time, using))
    text = cached_sql.by_key(text, using)
    return f'{text} RETURNING {cached_sql.columns(using)}', tuple(parameters), places


def _prepared(job_id: UUID, worker: str, now: datetime, using: str) -> list[Any]:
    """These values as the database is given them."""
    given: tuple[tuple[str, Any], ...] = (('job_id', job_id), ('worker', worker), ('started', now))
    connection = connections[using]
    return [cached_sql.prepared(name, value, connection) for name, value in given]

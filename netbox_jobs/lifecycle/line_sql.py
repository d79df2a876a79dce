"""The statements by which lines are read and served; their SQL is made once, as that takes longer than to run it."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from django.db import connections

from ..choices import JobStatusChoices
from ..models import FairTurn, Job, LimitSlot, cached_sql

T = TypeVar('T')

_PENDING = JobStatusChoices.STATUS_PENDING
#: Is the key of no job.
_NO_KEY = '-'


class Place(NamedTuple):
    """A job in a line."""

    since: int
    pk: int
    job_id: int
    key: str
    queue: str


def padded(values: Sequence[T], filler: T | None = None) -> list[T]:
    """Return values with one repeated at the end, so that they have one of few lengths, and a statement few texts."""
    size = 1 << (len(values) - 1).bit_length()
    return [*values, *[values[-1] if filler is None else filler] * (size - len(values))]


def first(limit: str, queue: str, size: int, using: str) -> list[Place]:
    """Return the first places of a queue in a line."""
    return _places(_first(using), [limit, queue, size], queue, using)


def first_of_each(limit: str, queue: str, keys: Sequence[str], size: int, using: str) -> list[Place]:
    """Return the first places of each of these keys."""
    names = padded(keys, _NO_KEY)
    given = [value for key in names for value in (limit, queue, key, size)]
    return sorted(_places(_first_of_each(using, len(names)), given, queue, using))


def waiting_keys(limit: str, queue: str, most: int, using: str) -> list[str]:
    """Return the keys of which jobs of a queue wait in a line, beginning with the one whose turn is next."""
    found = _execute(_waiting_keys(using), [queue, limit, queue, most], using)
    return [key for (key,) in found]


def is_pending(queue: str, compared: str, priority: int, using: str) -> bool:
    """Return whether a job of a queue was delivered whose priority compares so (`<` or `>=`)."""
    return bool(_execute(_pending(using, compared), [queue, _PENDING, priority], using))


def give_places(limit: str, jobs: Sequence[int], using: str) -> None:
    """Have the places of jobs that were delivered show this."""
    names = padded(jobs)
    cached_sql.execute(connections[using], _give_places(using, len(names)), [limit, *names], lambda cursor: None)


def forget_ended(limit: str, using: str) -> None:
    """Delete the places of jobs that were delivered, and have ended."""
    given = [limit, *JobStatusChoices.TERMINAL_STATE_CHOICES]
    cached_sql.execute(connections[using], _forget_ended(using), given, lambda cursor: None)


def _places(text: str, given: list[Any], queue: str, using: str) -> list[Place]:
    return [Place._make((*row, queue)) for row in _execute(text, given, using)]


def _execute(text: str, given: list[Any], using: str) -> list[Any]:
    return cached_sql.execute(connections[using], text, given, lambda cursor: list(cursor.fetchall()))


# All of these are made of the names of tables and columns alone; values are parameters.


def _quoted(using: str, *names: str) -> list[str]:
    return [connections[using].ops.quote_name(name) for name in names]


@lru_cache
def _first(using: str, of_key: bool = False) -> str:
    slot, limit, key = _quoted(using, LimitSlot._meta.db_table, 'limit', 'key')
    one_key = f' AND {key} = %s' if of_key else ''
    return (
        f'SELECT since, id, job_id, {key} FROM {slot} WHERE {limit} = %s AND queue = %s{one_key} '  # nosec B608
        'AND since IS NOT NULL ORDER BY since, id LIMIT %s'
    )


@lru_cache
def _first_of_each(using: str, number: int) -> str:
    # (Each in brackets with a name: SQLite takes no other order within a union.)
    parts = [f'SELECT * FROM ({_first(using, of_key=True)}) AS first_{part}' for part in range(number)]  # nosec B608
    return ' UNION ALL '.join(parts)


@lru_cache
def _waiting_keys(using: str) -> str:
    slot, turn, limit, key = _quoted(using, LimitSlot._meta.db_table, FairTurn._meta.db_table, 'limit', 'key')
    return (
        f'SELECT {turn}.{key} FROM {turn} WHERE {turn}.queue = %s AND EXISTS(SELECT 1 FROM {slot} '  # nosec B608
        f'WHERE {slot}.{limit} = %s AND {slot}.queue = %s AND {slot}.{key} = {turn}.{key} '
        f'AND {slot}.since IS NOT NULL) ORDER BY {turn}.served, {turn}.id LIMIT %s'
    )


@lru_cache
def _pending(using: str, compared: str) -> str:
    (job,) = _quoted(using, Job._meta.db_table)
    return (
        f'SELECT 1 FROM {job} WHERE queue_name = %s AND status = %s AND due IS NOT NULL '  # nosec B608
        f'AND priority {compared} %s LIMIT 1'
    )


@lru_cache
def _give_places(using: str, number: int) -> str:
    slot, limit, key = _quoted(using, LimitSlot._meta.db_table, 'limit', 'key')
    marks = ', '.join(['%s'] * number)
    return (
        f"UPDATE {slot} SET queue = '', {key} = '', since = NULL WHERE {limit} = %s "  # nosec B608
        f'AND job_id IN ({marks})'
    )


@lru_cache
def _forget_ended(using: str) -> str:
    slot, job, limit = _quoted(using, LimitSlot._meta.db_table, Job._meta.db_table, 'limit')
    marks = ', '.join(['%s'] * len(JobStatusChoices.TERMINAL_STATE_CHOICES))
    return (
        f"DELETE FROM {slot} WHERE {limit} = %s AND queue = '' AND EXISTS(SELECT 1 FROM {job} "  # nosec B608
        f'WHERE {job}.id = {slot}.job_id AND {job}.status IN ({marks}))'
    )

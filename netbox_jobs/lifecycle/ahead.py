"""Jobs that have a place in the order of their queue and no limit: a few are delivered ahead, in a few statements.

Nothing is locked for it. Two processes that look at the same moment see the same jobs at the front of the line, and
each of these jobs is delivered by one of them.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from django.db import connections
from django.db.models import F
from django.db.models.sql import UpdateQuery

from ..choices import JobStatusChoices
from ..core import clock, limits, order, transactions
from ..core.text import storable_text
from ..models import FairTurn, Job, LimitRow, LimitSlot, QueueLimit, cached_sql
from ..models.querysets import JobQuerySet
from . import admission, line_sql, lines, pace
from .order import add_keys, in_order, is_ordered, note_turns
from .unlocked import made_without_waiting

_PENDING = JobStatusChoices.STATUS_PENDING


class Place(NamedTuple):
    """Where a new job stands, which has a place in the order of its queue."""

    #: Whether it is delivered at once, as any other job,
    at_once: bool
    #: and counts as one that was delivered ahead. (Few are not counted.)
    counts: bool = False
    #: Whether the line has to be looked at when it has been inserted: too few others were delivered for their ends
    #: to do so.
    look: bool = False


def place_of(job: Job, using: str) -> Place | None:
    """Return where a new job of no schedule stands; None if more than the order decides that.

    Args:
        job: The job, which is not inserted yet.
        using: The alias of the database.
    """
    if not (job.held and is_ordered(job)) or job.limit or job.rate or job.due is None or job.due > clock.now_ms():
        return None
    if limits.of_queue(job.queue_name) is not None:
        return None
    queue, line_name = storable_text(job.queue_name), order.line_name(job.queue_name)
    key = limits.digest(line_name)
    compared = '<' if job.priority > order.DEFAULT else '>=' if job.priority < order.DEFAULT else ''
    given: list[str | int] = [key, _PENDING, key, queue, key]
    given += [queue, storable_text(job.fair_key)] if job.fair_key else []
    given += [queue, _PENDING, max(job.priority, order.DEFAULT)] if compared else []
    given += [order.DEFAULT, queue, _PENDING, order.AHEAD]
    text = _place(using, compared, bool(job.fair_key))
    connection = connections[using]
    found = cached_sql.execute(connection, text, given, lambda cursor: cursor.fetchone())
    few, like_it, ahead, line, known, others = found
    if not line and not others and ahead + like_it < order.AHEAD:
        return Place(at_once=True, counts=few >= order.AHEAD)
    if not known:
        if connection.in_atomic_block:  # which might keep others waiting that insert the same rows
            return None
        row = admission.row(line_name, limits.Allowance(order.AHEAD))
        LimitRow.objects.using(using).bulk_create([row], ignore_conflicts=True)
        add_keys([(job.queue_name, job.fair_key)], using)
    return Place(at_once=False, look=(ahead + like_it) * 2 <= order.AHEAD)


@lru_cache
def _place(using: str, compared: str, fair: bool) -> str:
    """The statement that shows where a job stands. (It reads a few rows of indexes, however many jobs wait.)"""
    quote = connections[using].ops.quote_name
    slot, job, row, turn = (quote(model._meta.db_table) for model in (LimitSlot, Job, LimitRow, FairTurn))
    limit, key = quote('limit'), quote('key')
    # Of the names of tables and columns alone; values are parameters.
    delivered = f'FROM {job} WHERE queue_name = %s AND status = %s AND due IS NOT NULL'
    turns = f' AND EXISTS(SELECT 1 FROM {turn} WHERE queue = %s AND {key} = %s)' if fair else ''  # nosec B608
    columns = (
        'COUNT(*), COALESCE(SUM(few.has_place), 0)',
        f'(SELECT COUNT(*) FROM {slot} INNER JOIN {job} ON {job}.id = {slot}.job_id WHERE {slot}.{limit} = %s '  # nosec B608
        f"AND {slot}.queue = '' AND {job}.status = %s AND NOT {job}.held)",
        f'EXISTS(SELECT 1 FROM {slot} WHERE {limit} = %s AND queue = %s AND since IS NOT NULL)',  # nosec B608
        f'EXISTS(SELECT 1 FROM {row} WHERE {key} = %s){turns}',  # nosec B608
        f'EXISTS(SELECT 1 {delivered} AND priority {compared} %s)' if compared else '0',  # nosec B608
    )
    has_place = "CASE WHEN priority <> %s OR fair_key > '' THEN 1 ELSE 0 END AS has_place"
    return f'SELECT {", ".join(columns)} FROM (SELECT {has_place} {delivered} LIMIT %s) AS few'  # nosec B608


def insert(job: Job, insert_job: Callable[[], None], using: str) -> Place | None:
    """Insert a new job of no schedule where it stands in the order of its queue.

    Args:
        job: The job.
        insert_job: Inserts its row.
        using: The alias of the database.

    Returns:
        Where it stands; None if it was not inserted, as more than the order decides that.
    """
    place = place_of(job, using)
    if place is None:
        return None
    row = LimitSlot(limit=limits.digest(order.line_name(job.queue_name)))
    if place.at_once:
        job.status, job.held, job.deliveries = _PENDING, False, 1
    else:
        row.queue, row.key, row.since = job.queue_name, job.fair_key, order.place(clock.now_ms(), job.priority)
        job.due = None
    if place.at_once and not place.counts:
        insert_job()
        return place
    with transactions.transacting(using, savepoint=False):
        insert_job()
        row.job_id = job.pk
        row.save(using=using, force_insert=True)
    return place


def admit(name: str, look: lines.Look, using: str) -> tuple[list[Job], set[int], bool]:
    """Have the next jobs of a line be delivered.

    Args:
        name: The name of the line.
        look: What a look at it has shown.
        using: The alias of the database that holds the jobs.

    Returns:
        The jobs, in their order; the primary keys of those that come behind what is in their queue already; and
        whether others could come next, of which more than the order decides.
    """
    key = limits.digest(name)
    if not look.queues:
        pace.note_empty(name, look, using)
        return [], set(), False
    most = pace.ahead(name, look, using).most
    count = max(0, most - look.pending)
    few = look.pending * 2 <= most
    slots, in_turns = lines.places(key, look.queues, look, count + 1, using) if count else ([], False)
    if not few and len(slots) > count:  # a few at a time, unless that is all that wait
        slots = []
    found, at_back = in_order([_Waiting(slot) for slot in slots[:count]], using)
    jobs = _deliver_ahead([each.pk for each in found], using)
    if jobs:
        line_sql.forget_ended(key, using)
        line_sql.give_places(key, [job.pk for job in jobs], using)
        if in_turns:
            note_turns(jobs, using)
    pace.note(name, look, len(jobs), using)
    return jobs, at_back, len(jobs) < len(found)


class _Waiting:
    """A job in line, by its place."""

    def __init__(self, place: line_sql.Place) -> None:
        self.pk, self.queue_name = place.job_id, place.queue
        self.priority = order.DEFAULT - order.band(place.since)


def _deliver_ahead(keys: list[int], using: str) -> list[Job]:
    """Have these jobs be delivered, without those that another process has delivered, or keeps locked."""
    if not keys:
        return []
    names, now = line_sql.padded(keys), clock.now_ms()

    def update() -> list[Job]:
        connection = connections[using]
        if connection.vendor == 'mysql':  # has no UPDATE ... RETURNING
            return _lock_and_update(_deliverable(keys, using), _delivered(now), using)
        text, parameters, changing = _delivery(using, connection.vendor, len(names))
        given = list(parameters)
        for place, value in zip(changing, (now, *names), strict=True):
            given[place] = value
        found = cached_sql.execute(connection, text, given, lambda cursor: cursor.fetchall())
        return [cached_sql.loaded(row, {}, connection) for row in found]

    places = {pk: number for number, pk in enumerate(keys)}
    return sorted(transactions.again(update, using), key=lambda job: places[job.pk])


def _deliverable(keys: list[int], using: str) -> JobQuerySet[Job]:
    limited = QueueLimit.objects.using(using).filter(most__isnull=False).values('name')
    rows = lines.waiting_in_line(using).filter(pk__in=keys, schedule=None, limit='', rate='')
    return rows.exclude(queue_name__in=limited).order_by()


def _delivered(now: int) -> dict[str, Any]:
    return {'status': _PENDING, 'due': now, 'held': False, 'slotted': False}


@lru_cache
def _delivery(using: str, vendor: str, size: int) -> tuple[str, tuple[Any, ...], list[int]]:
    """The UPDATE for so many jobs, its parameters, and where among them are the time and the jobs' keys."""
    now, *keys = changing = [-1 - number for number in range(size + 1)]
    query: Any = _deliverable(keys, using).query.chain(UpdateQuery)
    query.add_update_values(_delivered(now) | {'deliveries': F('deliveries') + 1})
    text, parameters = made_without_waiting(query, using)
    returned = cached_sql.columns((), connections[using])
    return f'{text} RETURNING {returned}', tuple(parameters), [list(parameters).index(value) for value in changing]


def _lock_and_update(rows: JobQuerySet[Job], values: dict[str, Any], using: str) -> list[Job]:
    with transactions.transacting(using):
        skip = connections[using].features.has_select_for_update_skip_locked
        jobs = list(rows.select_for_update(skip_locked=skip))
        own = Job.objects.using(using).filter(pk__in=[job.pk for job in jobs])
        own.update(**values, deliveries=F('deliveries') + 1)
    for job in jobs:
        for name, value in values.items():
            setattr(job, name, value)
        job.deliveries += 1
    return jobs

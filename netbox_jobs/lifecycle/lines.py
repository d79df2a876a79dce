"""The lines of jobs that wait for a slot of a limit: which of them come first, and which nothing else keeps waiting."""

import time
from collections.abc import Collection
from functools import cached_property, lru_cache

from django.db import connections

from ..choices import JobStatusChoices
from ..core import identity, queues
from ..core.limits import digest
from ..core.order import band, is_line, queue_of
from ..core.text import storable_text
from ..models import Job, LimitRow, LimitSlot, PausedQueue, Worker, cached_sql
from ..models.querysets import JobQuerySet
from . import line_sql
from .line_sql import Place

#: So many jobs of a line are looked at in one step.
BATCH = 50
#: So deep it is looked behind jobs that wait for something else as well.
_DEEPEST = 20_000


def waiting_in_line(using: str) -> JobQuerySet[Job]:
    """Return the jobs that wait for a slot."""
    return _held(using).filter(due=None)


def waiting_for_slot(using: str) -> JobQuerySet[Job]:
    """Return the jobs that need a slot, and do not wait in line for it yet."""
    return _held(using).filter(due__isnull=False)


def _held(using: str) -> JobQuerySet[Job]:
    return Job.objects.using(using).filter(status=JobStatusChoices.STATUS_SCHEDULED, held=True)


class Look:
    """What one statement shows of a limit: whether jobs wait in its line, and how many have a slot."""

    def __init__(self, name: str, using: str) -> None:
        """Args:
        name: The name of the limit.
        using: The alias of the database that holds the jobs.
        """
        self._using = using
        names = list(queues.configured())
        if is_line(name):
            names = [queue_of(name)] if queue_of(name) in names else []
        key, pending, running = digest(name), JobStatusChoices.STATUS_PENDING, JobStatusChoices.STATUS_RUNNING
        given = [key, running, key, pending, key]
        for queue in map(storable_text, names):
            given += [queue, key, queue, key, queue]
        connection, text = connections[using], _look(using, len(names))
        running_now, self.pending, most, *found = cached_sql.execute(
            connection, text, given, lambda cursor: cursor.fetchone()
        )
        #: The queues of which jobs wait, without those that are paused,
        self.queues = [queue for queue, state in zip(names, found, strict=True) if state > 0]
        #: those of them in which keys take turns,
        self.in_turns = {queue for queue, state in zip(names, found, strict=True) if state == _TURNS}
        #: and those that are paused.
        self.paused = {queue for queue, state in zip(names, found, strict=True) if state == _PAUSED}
        #: How many jobs have a slot, and run or were delivered.
        self.taken = running_now + self.pending
        #: How many jobs in line are worth a look: of a limit, as many as it has slots for, as far as is known.
        self.worth = BATCH if most is None or is_line(name) else min(BATCH, max(1, most - self.taken))

    @cached_property
    def orders(self) -> list[list[str]]:
        """The queues that each worker serves, in its order; a child of a worker asks for them once a second."""
        now, known = time.monotonic(), _orders.get(self._using)
        if known is None or now - known[0] > 1 or not identity.is_child_of_worker():
            known = _orders[self._using] = now, orders(self._using)
        return known[1]

    @property
    def workers(self) -> int:
        """How many workers serve the queues of which jobs wait."""
        return sum(any(name in served for name in self.queues) for served in self.orders) if self.queues else 0


_LINE, _TURNS, _PAUSED = 1, 2, -1
_orders: dict[str, tuple[float, list[list[str]]]] = {}


def forget() -> None:
    """Ask for the workers that there are."""
    _orders.clear()


@lru_cache
def _look(using: str, number: int) -> str:
    """The statement for so many queues. (It compares columns of indexes, so that a long line costs nothing.)"""
    quote = connections[using].ops.quote_name
    slot, job, paused, row = (quote(model._meta.db_table) for model in (LimitSlot, Job, PausedQueue, LimitRow))
    limit, key = quote('limit'), quote('key')
    # Of the names of tables and columns alone; values are parameters.
    count = (
        f'(SELECT COUNT(*) FROM {slot} INNER JOIN {job} ON {job}.id = {slot}.job_id WHERE {slot}.{limit} = %s '  # nosec B608
        f"AND {slot}.queue = '' AND {job}.status = %s AND NOT {job}.held)"
    )
    line = f'EXISTS(SELECT 1 FROM {slot} WHERE {limit} = %s AND queue = %s AND since IS NOT NULL'  # nosec B608
    state = (
        f'CASE WHEN EXISTS(SELECT 1 FROM {paused} WHERE name = %s) THEN {_PAUSED} '  # nosec B608
        f"WHEN {line} AND {key} > '') THEN {_TURNS} WHEN {line}) THEN {_LINE} ELSE 0 END"
    )
    most = f'(SELECT most FROM {row} WHERE {key} = %s AND per IS NULL)'  # nosec B608
    return f'SELECT {", ".join((count, count, most, *[state] * number))}'


def head(
    key: str, look: Look, seen: Collection[int], using: str, first: Collection[str], most: int
) -> tuple[list[Job], bool]:
    """Return the first jobs of a line, so many at most, and whether they take turns.

    They are those of queues that a worker serves, or else others.
    """
    names = set(look.queues)
    groups = [names]
    if len(names) > 1:
        groups = [set(first), {name for names in look.orders for name in names}, names]
    for group in groups:
        jobs, in_turns = _first_of(key, group & names, look, seen, using, most)
        if jobs:
            return jobs, in_turns
    return [], False


def _first_of(
    key: str, names: Collection[str], look: Look, seen: Collection[int], using: str, most: int
) -> tuple[list[Job], bool]:
    """Return the first jobs of these queues in a line; what is left there of jobs that are gone is deleted."""
    size, in_turns = most + len(seen), False
    while size < _DEEPEST:
        slots, in_turns = places(key, names, look, size, using)
        slots = [slot for slot in slots if slot.job_id not in seen][:size]
        jobs = _could_run([slot.job_id for slot in slots], using)
        if jobs or not slots:
            return [jobs[slot.job_id] for slot in slots if slot.job_id in jobs][:most], in_turns
        if not _drop_gone(slots, using):
            size *= 4  # they wait for something else as well: others may be behind them
    return [], False


def places(key: str, names: Collection[str], look: Look, size: int, using: str) -> tuple[list[Place], bool]:
    """Return the first places of these queues in a line, at least so many if there are, and whether keys take turns."""
    found: list[tuple[int, int, int, Place]] = []
    in_turns = False
    for name in names:
        queue = storable_text(name)
        keys = line_sql.waiting_keys(key, queue, BATCH, using) if name in look.in_turns else []
        if not keys:
            places = line_sql.first(key, queue, size, using)
            found += [(band(place.since), 0, place.since, place) for place in places]
            continue
        in_turns, turns = True, dict.fromkeys(keys, 0)
        order = {each: number for number, each in enumerate(keys)}
        for place in line_sql.first_of_each(key, queue, keys, -(-size // len(keys)), using):
            found.append((band(place.since), turns[place.key], order[place.key], place))
            turns[place.key] += 1
    return [place for *_order, place in sorted(found, key=lambda each: (*each[:3], each[3].pk))], in_turns


def _drop_gone(places: Collection[Place], using: str) -> bool:
    """Delete the places of jobs that have ended or were deleted; return whether there were any."""
    keys = {slot.job_id for slot in places}
    enqueued = Job.objects.using(using).filter(pk__in=keys, status__in=JobStatusChoices.ENQUEUED_STATE_CHOICES)
    gone = keys - set(enqueued.values_list('pk', flat=True))
    LimitSlot.objects.using(using).filter(job_id__in=gone).delete()
    return bool(gone)


def _could_run(keys: Collection[int], using: str) -> dict[int, Job]:
    """Return those of these jobs that nothing but the limit keeps waiting. (By their keys alone: a fast plan.)"""
    if not keys:
        return {}
    rows = waiting_in_line(using).filter(pk__in=keys).exclude(schedule__paused=True)
    jobs = {job.pk: job for job in rows}
    schedules = {job.schedule_id for job in jobs.values() if job.schedule_id is not None}
    if schedules:  # two occurrences of one schedule do not run side by side
        waiting = Job.objects.using(using).waiting()
        running = Job.objects.using(using).running().filter(schedule_id__in=schedules)
        busy = set(running.values_list('schedule_id', flat=True))
        requeued = waiting.filter(schedule_id__in=schedules, slot=None).values_list('schedule_id', flat=True)
        busy_slots = set(requeued)
        jobs = {pk: job for pk, job in jobs.items() if job.schedule_id not in busy and job.slot not in busy_slots}
    return jobs


def open_queues(using: str) -> list[str]:
    """Return the queues that are not paused."""
    paused = set(PausedQueue.objects.using(using).values_list('name', flat=True))
    return [name for name in queues.configured() if name not in paused]


def orders(using: str) -> list[list[str]]:
    """Return the queues that each worker serves, in its order."""
    return [names.replace(',', ' ').split() for names in Worker.objects.using(using).values_list('queues', flat=True)]

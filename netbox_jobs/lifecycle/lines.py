"""The lines of jobs that wait for a slot of a limit: which of them come first, and which nothing else keeps waiting."""

from collections.abc import Collection
from functools import cached_property, lru_cache

from django.db import connections
from django.db.models import QuerySet

from ..choices import JobStatusChoices
from ..core import queues
from ..core.limits import digest
from ..core.order import band
from ..core.text import storable_text
from ..models import Job, LimitSlot, PausedQueue, Worker
from ..models.querysets import JobQuerySet
from . import order

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
        names = queues.configured()
        key, pending, running = digest(name), JobStatusChoices.STATUS_PENDING, JobStatusChoices.STATUS_RUNNING
        given = [key, running, key, pending]
        for queue in map(storable_text, names):
            given += [queue, key, queue, key, queue]
        with connections[using].cursor() as cursor:
            cursor.execute(_look(using, len(names)), given)
            running_now, self.pending, *found = cursor.fetchone()
        #: The queues of which jobs wait, without those that are paused,
        self.queues = [queue for queue, state in zip(names, found, strict=True) if state > 0]
        #: those of them in which keys take turns,
        self.in_turns = {queue for queue, state in zip(names, found, strict=True) if state == _TURNS}
        #: and those that are paused.
        self.paused = {queue for queue, state in zip(names, found, strict=True) if state == _PAUSED}
        #: How many jobs have a slot, and run or were delivered.
        self.taken = running_now + self.pending

    @cached_property
    def orders(self) -> list[list[str]]:
        """The queues that each worker serves, in its order."""
        return orders(self._using)

    @property
    def workers(self) -> int:
        """How many workers serve the queues of which jobs wait."""
        return sum(any(name in served for name in self.queues) for served in self.orders) if self.queues else 0


_LINE, _TURNS, _PAUSED = 1, 2, -1


@lru_cache
def _look(using: str, number: int) -> str:
    """The statement for so many queues. (It compares columns of indexes, so that a long line costs nothing.)"""
    quote = connections[using].ops.quote_name
    slot, job, paused = (quote(model._meta.db_table) for model in (LimitSlot, Job, PausedQueue))
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
    return f'SELECT {", ".join((count, count, *[state] * number))}'


def head(key: str, look: Look, seen: Collection[int], using: str, first: Collection[str]) -> tuple[list[Job], bool]:
    """Return the first jobs of a line, and whether they take turns.

    They are those of queues that a worker serves, or else others.
    """
    names = set(look.queues)
    groups = [names]
    if len(names) > 1:
        groups = [set(first), {name for names in look.orders for name in names}, names]
    for group in groups:
        jobs, in_turns = _first_of(key, group & names, look, seen, using)
        if jobs:
            return jobs, in_turns
    return [], False


def _first_of(
    key: str, names: Collection[str], look: Look, seen: Collection[int], using: str
) -> tuple[list[Job], bool]:
    """Return the first jobs of these queues in a line; what is left there of jobs that are gone is deleted."""
    size, in_turns = BATCH + len(seen), False
    while size < _DEEPEST:
        slots, in_turns = places(key, names, look, size, using)
        slots = [slot for slot in slots if slot.job_id not in seen]
        jobs = _could_run([slot.job_id for slot in slots], using)
        if jobs or not slots:
            return [jobs[slot.job_id] for slot in slots if slot.job_id in jobs][:BATCH], in_turns
        if not _drop_gone(slots, using):
            size *= 4  # they wait for something else as well: others may be behind them
    return [], False


def places(key: str, names: Collection[str], look: Look, size: int, using: str) -> tuple[list[LimitSlot], bool]:
    """Return the first places of these queues in a line, at least so many if there are, and whether keys take turns."""
    found: list[tuple[int, int, int, LimitSlot]] = []
    in_turns = False
    for name in names:
        line = LimitSlot.objects.using(using).filter(limit=key, queue=name, since__isnull=False)
        line = line.order_by('since', 'pk')
        keys = order.keys_of(key, name, using, BATCH) if name in look.in_turns else []
        if not keys:
            found += [(band(slot.since or 0), 0, slot.since or 0, slot) for slot in line[:size]]
            continue
        in_turns, turns = True, dict.fromkeys(keys, 0)
        for slot in _first_of_each([line.filter(key=each)[: -(-size // len(keys))] for each in keys], using):
            found.append((band(slot.since or 0), turns[slot.key], keys.index(slot.key), slot))
            turns[slot.key] += 1
    return [place[3] for place in sorted(found, key=lambda place: (*place[:3], place[3].pk))], in_turns


def _first_of_each(rows: list[QuerySet[LimitSlot]], using: str) -> list[LimitSlot]:
    """Return the rows of these queries; in one statement, where the database takes that."""
    if not connections[using].features.supports_slicing_ordering_in_compound:
        return [slot for each in rows for slot in each]
    slots = rows[0].union(*rows[1:], all=True) if len(rows) > 1 else rows[0]
    return sorted(slots, key=lambda slot: (slot.since or 0, slot.pk))


def _drop_gone(places: Collection[LimitSlot], using: str) -> bool:
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

"""The lines of jobs that wait for a slot of a limit: which of them come first, and which nothing else keeps waiting."""

from collections.abc import Collection

from ..choices import JobStatusChoices
from ..core import queues
from ..core.order import band
from ..models import Job, LimitSlot, PausedQueue, Worker
from ..models.querysets import JobQuerySet
from . import order

#: So many jobs of a line are looked at in one step.
BATCH = 50
#: So deep it is looked behind jobs that wait for something else as well.
_DEEPEST = 20_000


def waiting_in_line(using: str) -> JobQuerySet[Job]:
    """Return the jobs that wait for a slot."""
    return Job.objects.using(using).filter(status=JobStatusChoices.STATUS_SCHEDULED, due=None, held=True)


def head(key: str, seen: Collection[int], using: str, first: Collection[str]) -> tuple[list[Job], bool]:
    """Return the first jobs of a line, and whether they take turns.

    They are those of queues that a worker serves, or else others.
    """
    names = open_queues(using)
    served = {name for names in orders(using) for name in names}
    for group in (set(first), served, set(names)):
        jobs, in_turns = _first_of(key, group & set(names), seen, using)
        if jobs:
            return jobs, in_turns
    return [], False


def _first_of(key: str, names: Collection[str], seen: Collection[int], using: str) -> tuple[list[Job], bool]:
    """Return the first jobs of these queues in a line; what is left there of jobs that are gone is deleted."""
    size = BATCH + len(seen)
    turns = {name: order.keys_of(key, name, using, BATCH) for name in names}
    in_turns = any(turns.values())
    while size < _DEEPEST:
        places: list[tuple[int, int, int, LimitSlot]] = []
        for name in names:
            line = LimitSlot.objects.using(using).filter(limit=key, queue=name, since__isnull=False)
            line = line.order_by('since', 'pk')
            if not turns[name]:
                places += [(band(slot.since or 0), 0, slot.since or 0, slot) for slot in line[:size]]
            for turn, fair_key in enumerate(turns[name]):
                own = line.filter(key=fair_key)[: -(-size // len(turns[name]))]
                places += [(band(slot.since or 0), number, turn, slot) for number, slot in enumerate(own)]
        slots = [place[3] for place in sorted(places, key=lambda place: (*place[:3], place[3].pk))]
        slots = [slot for slot in slots if slot.job_id not in seen]
        jobs = _could_run([slot.job_id for slot in slots], using)
        if jobs or not slots:
            return [jobs[slot.job_id] for slot in slots if slot.job_id in jobs][:BATCH], in_turns
        if not _drop_gone(slots, using):
            size *= 4  # they wait for something else as well: others may be behind them
    return [], False


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

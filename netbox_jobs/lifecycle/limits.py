"""Slots of limits: a limited job is delivered when each of its limits has one for it; until then it waits in line.

A job that has a slot is one whose row says that it is delivered or runs, so that nothing has to give a slot back: the
end of a job frees it, and so does recovery when it ends the job of a dead worker. Slots are counted and given under the
lock of the limits' rows. Until then, the row of the job is `held`: no worker can claim it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping

from django.db.models import Exists, OuterRef, Q

from ..choices import JobStatusChoices
from ..core import clock, limits, transactions
from ..core.limits import Allowance
from ..core.order import AHEAD, DEFAULT, is_line, line_name
from ..models import Job, LimitRow, LimitSlot, QueueLimit, RateStart
from . import admission, ahead, lines, order, pace, rates
from .unlocked import update_unlocked

#: So many jobs of a line are looked at at once; the next look at all limits continues there.
_MOST = 500


def is_limited(job: Job) -> bool:
    """Return whether a job has a limit: that of its runner, or that of its queue."""
    named = job.limit or job.rate or job.slotted or job.held or order.is_ordered(job)
    return bool(named) or limits.of_queue(job.queue_name) is not None


def queue_limits(using: str) -> dict[str, int | None]:
    """Return the limits of queues that were set while workers run."""
    return dict(QueueLimit.objects.using(using).values_list('name', 'most'))


def limits_of(job: Job, of_queues: Mapping[str, int | None]) -> dict[str, Allowance]:
    """Return the limits of a job by name, that of its runner first, and what each allows.

    Args:
        job: The job.
        of_queues: See `queue_limits()`; those of the settings count for other queues.
    """
    found: dict[str, Allowance] = {}
    if job.limit:
        most = limits.of_runner(job, job.limit_most or 1)
        if most is not None:
            found[job.limit] = Allowance(most)
    if (allowed := rates.allowance_of(job)) is not None:
        found[job.rate] = allowed
    name = job.queue_name
    if (most := of_queues[name] if name in of_queues else limits.of_queue(name)) is not None:
        found[limits.queue_limit_name(name)] = Allowance(most)
    if order.is_ordered(job):
        found[line_name(name)] = Allowance(AHEAD)
    return found


def has_slot(using: str) -> Q:
    """Return, for an UPDATE that has delivered jobs wait again, whether they gave up a slot or a place: held again."""
    permits = RateStart.objects.using(using).filter(job_id=OuterRef('pk'), until=None)
    return Q(_has_place(using)) | Q(Exists(permits)) | ~Q(priority=DEFAULT) | Q(fair_key__gt='')


def _has_place(using: str) -> Exists:
    return Exists(LimitSlot.objects.using(using).filter(job_id=OuterRef('pk')))


def make_rows(allowed: dict[str, Allowance], using: str) -> None:
    """Insert the missing rows of these limits, in no transaction of ours: no caller waits for their locks."""
    rows = LimitRow.objects.using(using)
    missing = {limits.digest(name): name for name in allowed}
    for key in rows.filter(key__in=missing).values_list('key', flat=True):
        del missing[key]
    if missing:
        rows.bulk_create([admission.row(name, allowed[name]) for name in missing.values()], ignore_conflicts=True)


def serve(name: str, using: str, first: Collection[str] = ()) -> Iterator[tuple[list[Job], set[int]]]:
    """Give the free slots of a limit to the jobs in its line; yield those that are to be delivered next, in order.

    With them, yield the primary keys of those that come behind what is in their queue already.

    Args:
        name: The limit's name.
        using: The alias of the database that holds the jobs.
        first: The queues whose jobs come first.
    """
    key, seen = limits.digest(name), set[int]()
    while len(seen) < _MOST and not rates.rests(name, using):
        look = lines.Look(name, using)
        if is_line(name):
            admitted, at_back, others = ahead.admit(name, look, using)
            if admitted:
                yield admitted, at_back
            if not others:
                return
        for worth in dict.fromkeys((look.worth, lines.BATCH)):
            head, in_turns = lines.head(key, look, seen, using, first, worth)
            jobs, at_back = order.in_order(head, using)
            if jobs or len(head) < worth:
                break
        if not jobs:
            return
        of_queues = queue_limits(using)
        found = _with_pace(limits_of(jobs[0], of_queues), look, using)
        room = admission.guess(name, found[name], look, using) if name in found else len(jobs)
        if room <= 0:
            return
        jobs = [job for job in jobs[:room] if limits_of(job, of_queues).keys() == found.keys()]
        seen |= {job.pk for job in jobs}
        try:
            admitted = _admit(jobs, found, using)
        except admission.LimitLocked:
            return
        if in_turns:
            order.note_turns(admitted, using)
        if limits.queue_limit_name(jobs[0].queue_name) not in found:
            pace.note(name, look, len(admitted), using)
        yield admitted, at_back
        whole = len(look.queues) == 1 and len(head) < worth
        if len(admitted) >= room or (whole and len(admitted) == len(head)):
            return


def admit_at_once(jobs: Mapping[int, Job], using: str) -> tuple[list[Job], set[int]]:
    """Give slots to new jobs that need not wait for them; return all of these jobs, or none; see `serve()`.

    Args:
        jobs: Jobs that are held, by their primary keys.
        using: The alias of the database that holds the jobs.
    """
    new, now = list(jobs.values()), clock.now_ms()
    if not 0 < len(new) <= lines.BATCH or any(
        job.deliveries or job.schedule_id is not None or job.due is None or job.due > now for job in new
    ):
        return [], set()
    of_queues = queue_limits(using)
    found = limits_of(new[0], of_queues)
    if not found or any(limits_of(job, of_queues) != found for job in new[1:]):
        return [], set()
    for name in found:
        if rates.rests(name, using):
            return [], set()
        look = lines.Look(name, using)
        if is_line(name):
            found[name] = pace.ahead(name, look, using)
        if look.queues or look.paused & {job.queue_name for job in new}:
            return [], set()
        if admission.guess(name, found[name], look, using) < len(new):
            return [], set()
    in_order, at_back = order.in_order(new, using)
    if len(in_order) < len(new):
        return [], set()
    try:
        admitted = _admit(new, found, using, in_line=False)
    except admission.LimitLocked:
        return [], set()
    order.note_turns((job for job in admitted if job.fair_key), using)
    return admitted, at_back


def _admit(jobs: list[Job], found: dict[str, Allowance], using: str, *, in_line: bool = True) -> list[Job]:
    return transactions.retried(lambda: admission.admit(jobs, found, using, in_line=in_line), using)


def _with_pace(found: dict[str, Allowance], look: lines.Look, using: str) -> dict[str, Allowance]:
    """Return what limits allow, with as many jobs in the order of a queue as its workers begin in a moment."""
    return {name: pace.ahead(name, look, using) if is_line(name) else most for name, most in found.items()}


def freed_by(job: Job, using: str) -> list[str]:
    """Return the names of the limits whose lines are to be looked at after the end of a job."""
    due, name = pace.count_end(job, using), limits.queue_limit_name(job.queue_name)
    if name not in due:
        return due
    of_queues = queue_limits(using)
    if of_queues.get(job.queue_name, limits.of_queue(job.queue_name)) is not None:
        return due
    pace.note_unlimited(job.queue_name, using)
    return [other for other in due if other != name]


def with_slot(keys: Iterable[str], using: str) -> dict[str, list[Job]]:
    """Return the jobs that have a slot, or a permit of a rate and have not begun, by the hashes of their limits."""
    taken = list(LimitSlot.objects.using(using).filter(limit__in=keys, queue='').values_list('limit', 'job_id'))
    taken += RateStart.objects.using(using).filter(limit__in=keys, until=None).values_list('limit', 'job_id')
    rows = Job.objects.using(using).filter(
        pk__in={pk for _key, pk in taken}, held=False, status__in=admission.WITH_SLOT
    )
    jobs = {job.pk: job for job in rows.only('status', 'held', 'due', 'queue_name', 'deliveries', 'job_id')}
    found: dict[str, list[Job]] = defaultdict(list)
    for key, pk in taken:
        if pk in jobs:
            found[key].append(jobs[pk])
    return found


def with_line(using: str, *, full: bool = False) -> list[tuple[LimitRow, set[str]]]:
    """Return the limits for which jobs wait in line, with their queues, without those that are paused.

    Args:
        using: The alias of the database that holds the jobs.
        full: Return the rates that are known to be full; else the limits that are not.
    """
    found: dict[str, tuple[LimitRow, set[str]]] = {}
    rests = Q(full_until__isnull=False, full_until__gt=clock.now_ms())
    rows = LimitRow.objects.using(using).filter(rests if full else ~rests)
    for name in lines.open_queues(using):
        line = LimitSlot.objects.using(using).filter(limit=OuterRef('key'), queue=name, since__isnull=False)
        for row in rows.filter(Exists(line)):
            found.setdefault(row.key, (row, set()))[1].add(name)
    return list(found.values())


def sweep(using: str) -> None:
    """Delete the slots of jobs that have ended or were deleted, and the rows of limits that no job has any more."""
    rates.sweep(using)
    order.sweep(using)
    slots = LimitSlot.objects.using(using)
    enqueued = Job.objects.using(using).filter(
        pk=OuterRef('job_id'), status__in=JobStatusChoices.ENQUEUED_STATE_CHOICES
    )
    while over := list(slots.filter(~Exists(enqueued)).values_list('pk', flat=True)[:500]):
        slots.filter(pk__in=over).delete()
    # What a process has left that died at an unlucky moment: a line to a limit without a row, a job without a place.
    known = LimitRow.objects.using(using).filter(key=OuterRef('limit'))
    of_queues = queue_limits(using)
    for slot in slots.filter(~Exists(known), since__isnull=False).select_related('job')[:_MOST]:
        make_rows(limits_of(slot.job, of_queues), using)
    update_unlocked(lines.waiting_in_line(using).filter(~_has_place(using)), due=clock.now_ms())
    starts = RateStart.objects.using(using).filter(limit=OuterRef('key'))
    LimitRow.objects.using(using).filter(~Exists(slots.filter(limit=OuterRef('key'))), ~Exists(starts)).delete()

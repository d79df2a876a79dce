"""Recovery of chains: the next occurrence that is not there, or not when it should be.

A job may end while another transaction keeps its schedule locked, and has no successor then (`PendingChange`).
"""

import logging
from collections.abc import Callable

from django.conf import settings
from django.db import connections, transaction
from django.db.models import Exists, OuterRef, Q, Subquery
from django.utils import timezone

from ..choices import JobStatusChoices
from ..enqueue import join
from ..lifecycle.left import OUTCOME
from ..lifecycle.record import record
from ..lifecycle.requeue import SLOT, take_slot
from ..lifecycle.successor import continue_chain
from ..lifecycle.unlocked import unless_locked
from ..lifecycle.wait import reschedule
from ..models import Job, PendingChange, RepairCount, Schedule, database

logger = logging.getLogger('netbox_jobs')

_BATCH = 500


def make_pending_changes(between: Callable[[], None]) -> int:
    """Make the changes that were left until a schedule is no longer locked; return how many were made.

    A schedule that is still locked is left for the next time.
    """
    using = database()
    made = 0
    for change in list(PendingChange.objects.using(using).order_by('pk')[:_BATCH]):
        between()
        try:
            made += join.settle(change.pk, using) if change.key else _continue_after(change, using)
        except Exception:  # one that cannot be made does not keep the others from it
            if not connections[using].is_usable():
                raise
            logger.exception('What is to be done with the schedule of job %s could not be done.', change.pk)
    RepairCount.add(RepairCount.Kind.CHAIN, made)
    return made


def continue_chains(between: Callable[[], None]) -> int:
    """Make the next occurrence of each schedule that recurs and has none; return how many were made.

    A schedule that is locked is left for the next time.
    """
    using = database()
    jobs = Job.objects.using(using)
    stopped = Schedule.objects.using(using).filter(Q(interval__isnull=False) | ~Q(cron=''), suspended='')
    stopped = stopped.filter(~Exists(jobs.filter(slot=OuterRef('pk'))))
    # No Exists(): MariaDB would read the whole index of jobs for it.
    stopped = stopped.alias(last=Subquery(jobs.filter(schedule=OuterRef('pk')).order_by('-pk').values('pk')[:1]))
    stopped = stopped.filter(last__isnull=False)
    stopped = stopped.exclude(pk__in=jobs.running().exclude(schedule=None).values('schedule'))
    made = 0
    for pk in list(stopped.order_by('pk').values_list('pk', flat=True)[:_BATCH]):
        between()
        made += _continue(pk, using)
    RepairCount.add(RepairCount.Kind.CHAIN, made)
    return made


def follow_time_zone(between: Callable[[], None]) -> int:
    """Plan the next occurrences anew whose cron expressions go by the project's `TIME_ZONE`, if that was changed.

    Returns:
        How many schedules there were.
    """
    using, zone = database(), settings.TIME_ZONE
    schedules = Schedule.objects.using(using)
    found = list(schedules.filter(time_zone='').exclude(cron='').exclude(default_zone=zone).order_by('pk')[:_BATCH])
    for schedule in found:
        between()
        with unless_locked(using, f'Schedule {schedule.pk}'):
            if schedules.filter(pk=schedule.pk, cron=schedule.cron, time_zone='').update(default_zone=zone):
                job = Job.objects.using(using).filter(slot=schedule.pk).first()
                scheduled = job is not None and job.status == JobStatusChoices.STATUS_SCHEDULED
                if job is not None and scheduled and schedule.default_zone:
                    now = timezone.now()
                    reschedule(job, schedule.recurrence.next(now, now))
    return len(found)


def _continue_after(change: PendingChange, using: str) -> bool:
    """Do what was left for a job whose run is over: record its outcome, give it its slot, or make its successor.

    Returns:
        Whether it is done.
    """
    if OUTCOME in change.values:
        return bool(record(change.pk, using))
    job = Job.objects.using(using).filter(pk=change.job_id).first()
    if job is not None and not job.ended:
        if SLOT in change.values:
            _give_slot(job, using)
        return False
    if job is not None and Schedule.objects.using(using).filter(pk=job.schedule_id or 0).exists():
        return _continue(job.schedule_id or 0, using, job)
    PendingChange.objects.using(using).filter(pk=change.pk).delete()  # deleted in the meantime
    return False


def _give_slot(job: Job, using: str) -> None:
    """Give a requeued job its slot, if its schedule is no longer locked."""
    with unless_locked(using, f'Job {job.pk} ({job.name})'):
        Schedule.objects.using(using).filter(pk=job.schedule_id or 0).select_for_update().first()
        take_slot(job, using)
        change = PendingChange.objects.using(using).filter(pk=job.pk).select_for_update().first()
        if change is not None and SLOT in change.values:
            change.forget(SLOT)


def _continue(pk: int, using: str, ended: Job | None = None) -> bool:
    skip = connections[using].features.has_select_for_update_skip_locked
    with transaction.atomic(using=using):
        schedule = Schedule.objects.using(using).filter(pk=pk).select_for_update(skip_locked=skip).first()
        if schedule is None:
            return False
        job = continue_chain(schedule, using, ended)
    if job is not None:
        logger.info('Schedule %s (%s): its next occurrence is job %s.', pk, job.name, job.pk)
    return job is not None

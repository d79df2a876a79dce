"""Recovery of chains: the next occurrence that is not there, or not when it should be.

A job may end while another transaction keeps its schedule locked, and has no successor then.
"""

import logging
from collections.abc import Callable

from django.conf import settings
from django.db import connections, transaction
from django.db.models import Exists, F, OuterRef, Q, Subquery
from django.utils import timezone

from ..choices import JobStatusChoices
from ..lifecycle.successor import continue_chain
from ..lifecycle.wait import reschedule
from ..models import Job, RepairCount, Schedule, database

logger = logging.getLogger('netbox_jobs')

_BATCH = 500


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
        with transaction.atomic(using=using):
            if schedules.filter(pk=schedule.pk, cron=schedule.cron, time_zone='').update(default_zone=zone):
                job = Job.objects.using(using).filter(slot=schedule.pk).first()
                scheduled = job is not None and job.status == JobStatusChoices.STATUS_SCHEDULED
                if job is not None and scheduled and schedule.default_zone:
                    now = timezone.now()
                    reschedule(job, schedule.recurrence.next(now, now))
    return len(found)


def _continue(pk: int, using: str) -> bool:
    skip = connections[using].features.has_select_for_update_skip_locked
    schedules = Schedule.objects.using(using).filter(pk=pk)
    with transaction.atomic(using=using):
        schedule = schedules.select_for_update(skip_locked=skip).first()
        job = continue_chain(schedule, using) if schedule is not None else None
        if job is None:
            return False
        schedules.update(runs=F('runs') + 1)  # the end could not count itself
    logger.info('Schedule %s (%s): its next occurrence is job %s.', pk, job.name, job.pk)
    return True

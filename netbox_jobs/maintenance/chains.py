"""Recovery of chains: a job may end while another transaction keeps its schedule locked, and has no successor then."""

import logging
from collections.abc import Callable

from django.db import connections, transaction
from django.db.models import Exists, F, OuterRef, Q

from ..lifecycle.successor import continue_chain
from ..models import Job, Schedule, database

logger = logging.getLogger('netbox_jobs')

_BATCH = 500


def continue_chains(between: Callable[[], None]) -> int:
    """Make the next occurrence of each schedule that recurs and has none; return how many were made.

    A schedule that is locked is left for the next time.
    """
    using = database()
    jobs = Job.objects.using(using)
    stopped = Schedule.objects.using(using).filter(Q(interval__isnull=False) | ~Q(cron=''), suspended='')
    stopped = stopped.filter(~Exists(jobs.filter(slot=OuterRef('pk'))), Exists(jobs.filter(schedule=OuterRef('pk'))))
    stopped = stopped.exclude(pk__in=jobs.running().exclude(schedule=None).values('schedule'))
    made = 0
    for pk in list(stopped.order_by('pk').values_list('pk', flat=True)[:_BATCH]):
        between()
        made += _continue(pk, using)
    return made


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

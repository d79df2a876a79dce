"""Jobs that wait for an object to be saved become jobs about it: same rows, same schedule, the key of the object."""

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Model

from ..choices import JobStatusChoices
from ..lifecycle.cancel import cancel
from ..lifecycle.dependencies import settle_dependent
from ..models import Job, Schedule, database
from ..models.schedules import SHARED
from .identify import schedule_key

#: What binding changes; the objects that calls have returned show it too.
_SHOWN = ('object_id', 'object_db', 'schedule_id', 'slot', 'status', 'due', 'deliveries', 'completed', 'error')


def bind(jobs: list[Job], token: str, instance: Model | None, object_id: str, object_db: str) -> None:
    """Bind jobs to the row of their object, and deliver those that wait for nothing else after the commit.

    Args:
        jobs: The objects that the calls have returned; they are brought up to date.
        token: What stands for the primary key in the keys of their schedules.
        instance: The object, if this process still has it.
        object_id: Its primary key.
        object_db: The alias of its database, if that is not the one of the jobs.
    """
    using = database()
    field: Any = Job._meta.get_field('object')
    with transaction.atomic(using=using):
        bound: dict[Any, Job] = {}
        # As the rows are now: a rollback may have undone what the objects show.
        rows = Job.objects.using(using).filter(job_id__in=[job.job_id for job in jobs], object_id=None)
        for row in rows.select_related('object_type').order_by('pk'):
            row.object_id, row.object_db = object_id, object_db
            _bind_schedule(row, token)
            if (
                Job.objects.using(using)
                .filter(pk=row.pk, object_id=None)
                .update(object_id=object_id, object_db=object_db)
            ):
                if row.status == JobStatusChoices.STATUS_PENDING and row.due is None:
                    settle_dependent(row)
                bound[row.job_id] = row
    for job in jobs:
        if (now := bound.get(job.job_id)) is not None:
            for name in _SHOWN:
                setattr(job, name, getattr(now, name))
            job.outcome = now.outcome
            if instance is not None:
                field.set_cached_value(job, instance)


def _bind_schedule(job: Job, token: str) -> None:
    """Give the schedule of a job the key of the object. One that has this key already takes the job over."""
    if job.schedule_id is None:
        return
    schedules = Schedule.objects.using(job._state.db)
    schedule = schedules.filter(pk=job.schedule_id).select_for_update().first()
    if schedule is None:
        return
    key = schedule.key
    if key == schedule_key(job.runner, job.object_type, token, '', job.tenant):
        key = schedule_key(job.runner, job.object_type, job.object_id, job.object_db, job.tenant)
    try:
        with transaction.atomic(using=job._state.db):
            schedules.filter(pk=schedule.pk).update(key=key, object_id=job.object_id, object_db=job.object_db)
    except IntegrityError:
        _take_over(schedules.select_for_update().get(key=key), schedule, job)


def _take_over(kept: Schedule, schedule: Schedule, job: Job) -> None:
    """Keep the schedule that has the key of the object already, with this job instead of the one that waits."""
    jobs = Job.objects.using(job._state.db)
    replaced = jobs.filter(slot=kept.pk).first()
    jobs.filter(slot=kept.pk).update(slot=None)
    if job.slot is not None:
        job.slot = kept.pk
    job.schedule_id = kept.pk
    jobs.filter(pk=job.pk).update(schedule=kept, slot=job.slot)
    values = {name: getattr(schedule, name) for name in {*SHARED, 'interval', 'cron', 'time_zone'}}
    Schedule.objects.using(job._state.db).filter(pk=kept.pk).update(**values, suspended='')
    Schedule.objects.using(job._state.db).filter(pk=schedule.pk).delete()
    if replaced is not None:
        cancel(replaced, f'Job {job.pk} replaces it: it was enqueued once for the same object, before that was saved.')

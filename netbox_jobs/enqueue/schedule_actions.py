"""Actions on a schedule: change, pause, resume, run now, end. Its row is locked first, then the rows of its jobs."""

from django.db import transaction
from django.utils import timezone

from ..choices import JobStatusChoices
from ..core import clock
from ..core.recurrence import Recurrence
from ..lifecycle.deliver import deliver_after_commit, make_deliverable
from ..lifecycle.successor import make_successor
from ..lifecycle.wait import put_back, reschedule
from ..models import Job, Schedule, database, services


@services.change_schedule.provide
def change(schedule: Schedule, recurrence: Recurrence) -> None:
    """See `Schedule.change()`."""
    using = schedule._state.db or database()
    values = {'interval': recurrence.interval, 'cron': recurrence.cron, 'time_zone': recurrence.time_zone}
    with transaction.atomic(using=using):
        Schedule.objects.using(using).filter(pk=schedule.pk).update(**values, suspended='')
        job = Job.objects.using(using).filter(slot=schedule.pk).first()
        if job is not None:
            # Retention may have removed the predecessor.
            before = Job.objects.using(using).filter(successor=job).first() or job
            now = timezone.now()
            moment = recurrence.next(before.scheduled or before.started or now, now)
            reschedule(job, moment, interval=recurrence.interval)
    for name, value in values.items():
        setattr(schedule, name, value)


@services.pause_schedule.provide
def pause(schedule: Schedule) -> bool:
    """See `Schedule.pause()`."""
    using = schedule._state.db or database()
    with transaction.atomic(using=using):
        if not Schedule.objects.using(using).filter(pk=schedule.pk, paused=False).update(paused=True):
            return False
        # Beside the one that waits, there may be one that was requeued while the next was made already.
        for job in Job.objects.using(using).filter(schedule=schedule, status=JobStatusChoices.STATUS_PENDING):
            put_back(job)
    schedule.paused = True
    return True


@services.resume_schedule.provide
def resume(schedule: Schedule) -> bool:
    """See `Schedule.resume()`. Recovery's poll delivers what is due within a second."""
    using = schedule._state.db or database()
    with transaction.atomic(using=using):
        rows = Schedule.objects.using(using).filter(pk=schedule.pk).exclude(paused=False, suspended='')
        resumed = rows.update(paused=False, suspended='')
        schedule.refresh_from_db(using, fields=['paused', 'suspended'])
        if resumed:
            _continue(schedule, using)
    return bool(resumed)


def _continue(schedule: Schedule, using: str) -> Job | None:
    """Make the next occurrence of a chain that has stopped, after the one that ended last, if there is none."""
    jobs = Job.objects.using(using).filter(schedule=schedule)
    if not schedule.recurrence or jobs.filter(status__in=JobStatusChoices.ENQUEUED_STATE_CHOICES).exists():
        return None
    last = schedule.last_job
    return make_successor(last, schedule) if last is not None else None


@services.run_schedule_now.provide
def run_now(schedule: Schedule) -> Job | None:
    """See `Schedule.run_now()`."""
    using = schedule._state.db or database()
    with transaction.atomic(using=using):
        Schedule.objects.using(using).filter(pk=schedule.pk).update(key=schedule.key)  # the lock of the chain
        job = Job.objects.using(using).filter(slot=schedule.pk).first()
        job = job or _continue(schedule, using)
        if job is None:
            return None
        if job.status == JobStatusChoices.STATUS_SCHEDULED:
            now = timezone.now()
            rows = Job.objects.using(using).filter(pk=job.pk, status=job.status, deliveries=job.deliveries)
            rows.update(scheduled=now, due=clock.now_ms())
            job.scheduled, job.due = now, Job.objects.using(using).values_list('due', flat=True).get(pk=job.pk)
            if not job.follows_enqueued() and make_deliverable(job):
                deliver_after_commit(job)
    return job


@services.end_schedule.provide
def end(schedule: Schedule) -> None:
    """See `Schedule.end()`."""
    with transaction.atomic(using=schedule._state.db):
        jobs = list(Job.objects.using(schedule._state.db).waiting().filter(schedule=schedule))
        schedule.delete()
        for job in jobs:
            job.delete()

"""Actions on a schedule: change, pause, resume, run now, end. Its row is locked first, then the rows of its jobs."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from django.utils import timezone

from ..choices import JobStatusChoices
from ..core import clock, transactions
from ..core.recurrence import Recurrence
from ..lifecycle.deliver import deliver_after_commit, make_deliverable
from ..lifecycle.locks import lock_waiting
from ..lifecycle.successor import continue_chain
from ..lifecycle.wait import put_back, reschedule
from ..models import Job, Schedule, database, services

P = ParamSpec('P')
R = TypeVar('R')


def _transacting(action: Callable[Concatenate[Schedule, P], R]) -> Callable[Concatenate[Schedule, P], R]:
    """Decorate an action: it is a transaction, which is tried again if another one is in its way."""

    @wraps(action)
    def act(schedule: Schedule, *args: P.args, **kwargs: P.kwargs) -> R:
        using = schedule._state.db or database()
        return transactions.retried(lambda: action(schedule, *args, **kwargs), using)

    return act


@services.change_schedule.provide
@_transacting
def change(schedule: Schedule, recurrence: Recurrence) -> None:
    """See `Schedule.change()`."""
    using = schedule._state.db or database()
    values = {'interval': recurrence.interval, 'cron': recurrence.cron, 'time_zone': recurrence.time_zone}
    Schedule.objects.using(using).filter(pk=schedule.pk).update(**values, suspended='')
    job = Job.objects.using(using).filter(slot=schedule.pk).first()
    if job is not None:
        # Retention may have removed the predecessor.
        before = Job.objects.using(using).filter(successor=job).first() or job
        now = timezone.now()
        moment = recurrence.next(before.scheduled or before.started or now, now)
        reschedule(job, moment, interval=recurrence.interval)
    schedule.refresh_from_db(using, fields=[*values, 'suspended'])
    if job is None:  # its only job has ended, or the chain was suspended
        continue_chain(schedule, using)


@services.pause_schedule.provide
@_transacting
def pause(schedule: Schedule) -> bool:
    """See `Schedule.pause()`."""
    using = schedule._state.db or database()
    if not Schedule.objects.using(using).filter(pk=schedule.pk, paused=False).update(paused=True):
        return False
    # Beside the one that waits, there may be one that was given back while the next was arranged already.
    for job in Job.objects.using(using).filter(schedule=schedule, status=JobStatusChoices.STATUS_PENDING):
        put_back(job)
    schedule.paused = True
    return True


@services.resume_schedule.provide
@_transacting
def resume(schedule: Schedule) -> bool:
    """See `Schedule.resume()`. Recovery's poll delivers what is due within a second."""
    using = schedule._state.db or database()
    rows = Schedule.objects.using(using).filter(pk=schedule.pk).exclude(paused=False, suspended='')
    resumed = rows.update(paused=False, suspended='')
    schedule.refresh_from_db(using, fields=['paused', 'suspended'])
    if resumed:
        continue_chain(schedule, using)
    return bool(resumed)


@services.run_schedule_now.provide
@_transacting
def run_now(schedule: Schedule) -> Job | None:
    """See `Schedule.run_now()`."""
    using = schedule._state.db or database()
    # The lock of the chain, which there is none of if the schedule has ended.
    if not Schedule.objects.using(using).filter(pk=schedule.pk).update(key=schedule.key):
        return None
    job = Job.objects.using(using).filter(slot=schedule.pk).first()
    job = job or continue_chain(schedule, using)
    if job is None:
        return None
    if job.status == JobStatusChoices.STATUS_SCHEDULED and job.due is not None:  # else it waits in line already
        now = timezone.now()
        rows = Job.objects.using(using).filter(pk=job.pk, status=job.status, deliveries=job.deliveries)
        rows.update(scheduled=now, due=clock.now_ms())
        job.scheduled, job.due = now, Job.objects.using(using).values_list('due', flat=True).get(pk=job.pk)
        if not job.follows_enqueued() and (job.held or make_deliverable(job)):
            deliver_after_commit(job)
    return job


@services.end_schedule.provide
@_transacting
def end(schedule: Schedule) -> None:
    """See `Schedule.end()`."""
    using = schedule._state.db or database()
    Schedule.objects.using(using).filter(pk=schedule.pk).delete()
    for job in lock_waiting(Job.objects.using(using).filter(schedule_id=schedule.pk)):
        job.delete()

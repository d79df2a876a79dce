"""The request of a periodic job's successor: made once, or found if it was made before."""

from django.db import IntegrityError, transaction

from ..choices import JobStatusChoices
from ..core import runs
from ..lifecycle import reservation
from ..lifecycle.deliver import deliver_after_commit
from ..lifecycle.dependencies import depend
from ..models import Job, Schedule, database
from .inherit import inherit, is_about_the_same
from .request import EnqueueRequest
from .rows import new_job, new_schedule


def predecessor_of(request: EnqueueRequest) -> Job | None:
    """Return the periodic job that is being run or ended here, if the request is for its runner and its object."""
    ending = reservation.predecessor()
    run = runs.current_run()
    job: Job | None = ending if ending is not None else run.job if run is not None else None
    if job is None or (job.schedule_id is None and job.interval is None and job is not ending):
        return None
    return job if is_about_the_same(request, job) else None


def succeed(request: EnqueueRequest, predecessor: Job, schedule: Schedule | None = None) -> Job:
    """Return the one successor of a job, which is made if there is none.

    Args:
        request: What the successor is made from.
        predecessor: The job.
        schedule: Its schedule, if the caller has locked it.
    """
    using = predecessor._state.db or database()
    jobs = Job.objects.using(using)
    if found := jobs.filter(predecessor_id=predecessor.pk).first():
        return found
    inherit(request, predecessor, None if reservation.predecessor() is predecessor else request.given)
    try:
        with transaction.atomic(using=using):
            if predecessor.schedule_id is not None and schedule is None:
                # Locked: a schedule that is ended at this moment has no further occurrence.
                schedules = Schedule.objects.using(using).select_for_update()
                schedule = schedules.filter(pk=predecessor.schedule_id).first()
                if schedule is None:
                    return predecessor  # it has been ended
            schedule = _schedule(request, predecessor, schedule, using)
            job = new_job(request)
            job.schedule, job.slot, job.predecessor_id = schedule, schedule.pk, predecessor.pk
            if not predecessor.ended and not request.dependencies:
                # Delivered when that has ended, so that two occurrences never run side by side.
                job.status, job.deliveries = JobStatusChoices.STATUS_SCHEDULED, 0
            job.save(using=using)
            depend(job, request.dependencies, using)
    except IntegrityError:
        # Another caller has made it at the same moment; the unique constraints allow one.
        found = jobs.filter(predecessor_id=predecessor.pk).first()
        return found or jobs.get(slot=schedule.pk if schedule else None)
    deliver_after_commit(job)
    return job


def _schedule(request: EnqueueRequest, predecessor: Job, schedule: Schedule | None, using: str) -> Schedule:
    """Return the schedule of the successor, made or updated, and set when the successor is due."""
    if schedule is None:
        schedule = new_schedule(request, predecessor.job_id.hex)
        schedule.save(using=using)
        Job.objects.using(using).filter(pk=predecessor.pk).update(schedule=schedule)
        predecessor.schedule = schedule
    elif request.recurrence and request.recurrence not in (schedule.recurrence, predecessor.recurrence_at_claim):
        when = {'interval': request.interval, 'cron': request.cron, 'time_zone': request.time_zone}
        Schedule.objects.using(using).filter(pk=schedule.pk).update(**when)
    if request.scheduled is None and request.recurrence:
        request.scheduled = predecessor.next_time(request.recurrence)
    return schedule

"""Jobs that depend on others: they wait in the database, and are delivered when those have completed."""

from uuid import UUID

from ..choices import JobStatusChoices
from ..core import clock, transactions
from ..models import Job, Schedule
from .deliver import deliver_after_commit


def depend(job: Job, job_ids: list[UUID], using: str) -> None:
    """Have a new job wait for others, which may end at this moment."""
    if not job_ids:
        return
    awaited = Job.objects.using(using).filter(job_id__in=job_ids)
    awaited.update(awaited=True)
    job.dependencies.set(awaited)
    # One of them may have ended before our link to it was visible to it.
    transactions.after_commit(lambda: settle_dependent(job), using=using)


def release_dependents(job: Job) -> None:
    """Deliver, or end, the jobs that waited for this one alone."""
    using = job._state.db
    gated = Job.objects.using(using).filter(dependencies=job.pk, status=JobStatusChoices.STATUS_PENDING, due=None)
    for dependent in gated:
        settle_dependent(dependent)


def settle_dependent(dependent: Job) -> None:
    """Make a job due if all that it depends on has completed; end it as errored if one has ended otherwise."""
    using = dependent._state.db
    states = list(dependent.dependencies.using(using).values_list('status', 'name', 'pk'))
    waiting = [row for row in states if row[0] not in JobStatusChoices.TERMINAL_STATE_CHOICES]
    broken = [row for row in states if row not in waiting and row[0] != JobStatusChoices.STATUS_COMPLETED]
    if broken and not dependent.options.get('allow_failure'):
        status, name, pk = broken[0]
        dependent.terminate(
            JobStatusChoices.STATUS_ERRORED, error=f'It depends on job {pk} ({name}), which ended as {status}.'
        )
        return
    if waiting:
        return
    moment = clock.now_ms() if dependent.scheduled is None else max(clock.now_ms(), clock.to_ms(dependent.scheduled))
    paused = Schedule.objects.using(using).filter(pk=dependent.schedule_id or 0, paused=True).exists()
    later = paused or moment > clock.now_ms() or dependent.held or dependent.follows_enqueued()
    values = {
        'status': JobStatusChoices.STATUS_SCHEDULED if later else JobStatusChoices.STATUS_PENDING,
        'due': moment,
        'deliveries': dependent.deliveries + (0 if later else 1),
    }
    rows = Job.objects.using(using).filter(pk=dependent.pk, status=JobStatusChoices.STATUS_PENDING, due=None)
    # One that waits for its object to be saved is bound to it first.
    if rows.exclude(object_type__isnull=False, object_id=None).update(**values):
        for name, value in values.items():
            setattr(dependent, name, value)
        deliver_after_commit(dependent)

"""Jobs that depend on others: they wait in the database, and are delivered when those have completed."""

from uuid import UUID

from ..choices import JobStatusChoices
from ..core import clock, transactions
from ..models import Job, Schedule, database
from .deliver import deliver_after_commit
from .unlocked import PATIENCE, unless_locked, update_unlocked


def depend(job: Job, job_ids: list[UUID], using: str) -> None:
    """Have a new job wait for others, which may end at this moment.

    Those that run are not locked, as the caller's transaction may last: their ends would wait for it.
    """
    if not job_ids:
        return
    jobs = Job.objects.using(using)
    states = dict(jobs.filter(job_id__in=job_ids).values_list('pk', 'status'))
    waiting = [pk for pk, status in states.items() if status in JobStatusChoices.WAITING_STATE_CHOICES]
    if waiting:
        jobs.filter(pk__in=waiting).waiting().update(awaited=True)
    job.dependencies.set(states)

    def settle() -> None:
        for pk in states.keys() - waiting:
            update_unlocked(jobs.filter(pk=pk, awaited=False), awaited=True)
        # One of them may have ended before our link to it was visible to it.
        settle_dependent(job)

    transactions.after_commit(settle, using=using)


def release_dependents(job: Job) -> None:
    """Deliver, or end, the jobs that waited for this one alone."""
    using = job._state.db
    gated = Job.objects.using(using).filter(dependencies=job.pk, status=JobStatusChoices.STATUS_PENDING, due=None)
    for dependent in gated:
        settle_dependent(dependent)


def settle_dependent(dependent: Job, *, patience: float = PATIENCE) -> None:
    """Make a job due if all that it depends on has completed; end it as errored if one has ended otherwise.

    A job that another transaction keeps locked is left to recovery.

    Args:
        dependent: The job.
        patience: Seconds for which to try to write to a row that is locked.
    """
    using = dependent._state.db or database()
    states = _states(dependent)
    waiting = [row for row in states if row[0] not in JobStatusChoices.TERMINAL_STATE_CHOICES and row[0]]
    broken = [row for row in states if row not in waiting and row[0] != JobStatusChoices.STATUS_COMPLETED]
    if broken and not dependent.options.get('allow_failure'):
        _break(dependent, *broken[0])
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
    rows = rows.exclude(object_type__isnull=False, object_id=None)
    if update_unlocked(rows, patience=patience, **values):
        for name, value in values.items():
            setattr(dependent, name, value)
        deliver_after_commit(dependent)


def _states(dependent: Job) -> list[tuple[str, str, int]]:
    """Return the status, the name and the key of each job that this one depends on; no status if it was deleted."""
    using = dependent._state.db
    links = Job.dependencies.through.objects.using(using).filter(from_job=dependent.pk)
    keys = list(links.values_list('to_job_id', flat=True))
    found = Job.objects.using(using).filter(pk__in=keys).values_list('pk', 'status', 'name') if keys else ()
    states = {pk: (status, name) for pk, status, name in found}
    return [(*states.get(pk, ('', '')), pk) for pk in keys]


def _break(dependent: Job, status: str, name: str, pk: int) -> None:
    """End a job that depends on one which has not completed."""
    using = dependent._state.db or database()
    error = f'It depends on job {pk} ({name}), which ended as {status}.'
    if not status:  # at the moment of the call
        error = f'It depends on job {pk}, which was deleted before it had ended.'

    def end() -> None:
        with unless_locked(using, f'Job {dependent.pk} ({dependent.name})'):
            dependent.terminate(JobStatusChoices.STATUS_ERRORED, error=error)

    if transactions.is_outermost(using):
        transactions.again(end, using)
    else:  # in the caller's, which waits as it likes
        dependent.terminate(JobStatusChoices.STATUS_ERRORED, error=error)

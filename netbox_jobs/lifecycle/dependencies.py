"""Jobs that depend on others: they wait in the database, and are delivered when those have completed, or failed."""

import logging
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef

from ..choices import JobNotificationChoices, JobStatusChoices
from ..core import clock, transactions
from ..models import Job, Schedule, WorkflowMember, database
from ..models.workflows import SKIPPED
from .deliver import deliver_after_commit
from .unlocked import PATIENCE, unless_locked, update_unlocked

logger = logging.getLogger('netbox_jobs')

_FAILURES = (JobStatusChoices.STATUS_FAILED, JobStatusChoices.STATUS_ERRORED)
_WRONG = (*_FAILURES, JobStatusChoices.STATUS_CANCELED)
# The jobs that have ended while the dependents of another one are released: a long chain of them is no deep stack.
_ended: ContextVar[list[Job] | None] = ContextVar('netbox_jobs.ended', default=None)


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
    waiting = _ended.get()
    if waiting is not None:
        waiting.append(job)
        return
    waiting = [job]
    token = _ended.set(waiting)
    try:
        for each in waiting:  # which grows
            _release(each)
    finally:
        _ended.reset(token)


def before_deletion(job: Job, using: str) -> None:
    """End the jobs that wait for a job which is being deleted, unless they run without it; in that transaction."""
    for dependent in job.dependents.using(using).waiting():
        if job.status in JobStatusChoices.TERMINAL_STATE_CHOICES:
            if dependent.due is None:  # the process that has ended the job may have died before it came to this
                settle_dependent(dependent)
        elif not dependent.options.get('allow_failure') and not _is_awaited_failure(job.job_id, dependent):
            error = f'It depends on job {job.pk} ({job.name}), which was deleted before it had ended.'
            dependent.terminate(JobStatusChoices.STATUS_ERRORED, error=error)
        else:
            transactions.after_commit(lambda dependent=dependent: settle_dependent(dependent), using=using)  # type: ignore[misc]


def settle_dependent(dependent: Job, *, patience: float = PATIENCE) -> None:
    """Make a job due if all that it depends on has ended as it is to; end it if one has ended otherwise.

    A job that another transaction keeps locked is left to recovery.

    Args:
        dependent: The job.
        patience: Seconds for which to try to write to a row that is locked.
    """
    using = dependent._state.db or database()
    if not _is_free(dependent, using):
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


def _release(job: Job) -> None:
    using = job._state.db
    gated = Job.objects.using(using).filter(dependencies=job.pk, status=JobStatusChoices.STATUS_PENDING, due=None)
    for dependent in gated.order_by('pk'):
        try:
            settle_dependent(dependent)
        except Exception:  # recovery looks at them again
            logger.exception('Job %s, which waits for job %s, is not released yet.', dependent.pk, job.pk)


def _is_free(dependent: Job, using: str) -> bool:
    """Return whether nothing holds a job back any more; end it if what it waits for has ended otherwise."""
    awaited = dependent.dependencies.using(using).order_by()
    failures = dependent.options.get('on_failure_of', ())
    others = awaited.exclude(job_id__in=failures)
    still = {'status__in': JobStatusChoices.ENQUEUED_STATE_CHOICES}
    # What has not ended comes first: what has ended by then does not change any more. There may be thousands, so they
    # are not read: whether one is left, a database knows at the first.
    waits = others.filter(**still).exists()
    if not dependent.options.get('allow_failure'):
        wrong = others.filter(status__in=_WRONG).values_list('status', 'name', 'pk')
        for status, name, pk in [*wrong[:1], *_deleted(dependent, awaited, using)]:
            _break(dependent, status, name, pk)
            return False
    if failures:
        failing = awaited.filter(job_id__in=failures)
        may_fail = failing.filter(**still).exists()
        if not failing.filter(status__in=_FAILURES).exists():
            if not may_fail:
                _skip(dependent, list(failing.values_list('pk', flat=True)))
            return False
    return not waits and not _is_gated(dependent, using)


def _deleted(dependent: Job, awaited: Any, using: str) -> list[tuple[str, str, int]]:
    """Return a job that was deleted at the moment of the call; those whose failure is awaited do not count."""
    links = Job.dependencies.through.objects.using(using).filter(from_job=dependent.pk)
    gone = links.exclude(Exists(Job.objects.using(using).filter(pk=OuterRef('to_job_id'))))
    keys = list(gone.values_list('to_job_id', flat=True))
    if keys and (failures := dependent.options.get('on_failure_of', ())):
        keys = keys[len(failures) - awaited.filter(job_id__in=failures).count() :]
    return [('', '', pk) for pk in keys[:1]]


def _is_gated(job: Job, using: str) -> bool:
    """Return whether a job is a callback of a workflow that does not know yet whether it is needed."""
    if job.workflow_id is None:
        return False
    return WorkflowMember.objects.using(using).filter(job=job.pk, gated=True).exists()


def _is_awaited_failure(job_id: UUID, dependent: Job) -> bool:
    """Return whether a job is to fail before another one runs."""
    return str(job_id) in dependent.options.get('on_failure_of', ())


def _break(dependent: Job, status: str, name: str, pk: int) -> None:
    """End a job that depends on one which has not completed."""
    error = f'It depends on job {pk} ({name}), which ended as {status}.'
    if not status:  # at the moment of the call
        error = f'It depends on job {pk}, which was deleted before it had ended.'
    _unless_locked(dependent, lambda: dependent.terminate(JobStatusChoices.STATUS_ERRORED, error=error))


def _skip(job: Job, keys: list[int]) -> None:
    """End a job that was to run after a failure, as there was none."""
    error = 'It was to run after the failure of a job that was deleted.'
    if keys:
        named = ', '.join(map(str, sorted(keys)))
        error = f'It was to run after the failure of job {named}, which has not failed.'
    job.notifications = JobNotificationChoices.NOTIFICATION_NEVER  # of this object alone: it is no news to the user

    def end() -> None:
        if job.workflow_id is not None:
            members = WorkflowMember.objects.using(job._state.db)
            members.filter(job=job.pk, state='').update(state=SKIPPED)
        job.terminate(JobStatusChoices.STATUS_CANCELED, error=error)

    _unless_locked(job, end)


def _unless_locked(job: Job, end: Callable[[], Any]) -> None:
    """End a job in one transaction, unless another one keeps it locked: then recovery does it."""
    using = job._state.db or database()

    def attempt() -> None:
        with unless_locked(using, f'Job {job.pk} ({job.name})'):
            end()

    if transactions.is_outermost(using):
        transactions.again(attempt, using)
    else:  # in the caller's, which waits as it likes
        end()

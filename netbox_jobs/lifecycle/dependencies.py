"""Jobs that depend on others: they wait in the database, and are delivered when those have completed, or failed."""

import logging
from contextvars import ContextVar
from uuid import UUID

from ..choices import JobNotificationChoices, JobStatusChoices
from ..core import clock, transactions
from ..models import Job, Schedule, WorkflowMember
from ..models.workflows import SKIPPED
from .deliver import deliver_after_commit

logger = logging.getLogger('netbox_jobs')

_FAILURES = (JobStatusChoices.STATUS_FAILED, JobStatusChoices.STATUS_ERRORED)
_WRONG = (*_FAILURES, JobStatusChoices.STATUS_CANCELED)
# The jobs that have ended while the dependents of another one are released: a long chain of them is no deep stack.
_ended: ContextVar[list[Job] | None] = ContextVar('netbox_jobs.ended', default=None)


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
    waiting = list(job.dependents.using(using).waiting())
    for dependent in waiting:
        if job.status in JobStatusChoices.TERMINAL_STATE_CHOICES:
            if dependent.due is None:  # the process that has ended the job may have died before it came to this
                settle_dependent(dependent)
        elif not dependent.options.get('allow_failure') and not _is_awaited_failure(job.job_id, dependent):
            error = f'It depends on job {job.pk} ({job.name}), which was deleted before it had ended.'
            dependent.terminate(JobStatusChoices.STATUS_ERRORED, error=error)
        else:
            transactions.after_commit(lambda dependent=dependent: settle_dependent(dependent), using=using)  # type: ignore[misc]


def settle_dependent(dependent: Job) -> None:
    """Make a job due if all that it depends on has ended as it is to; end it if one has ended otherwise."""
    using = dependent._state.db
    links = dependent.dependencies.using(using).order_by()
    failures = dependent.options.get('on_failure_of', ())
    still = {'status__in': JobStatusChoices.ENQUEUED_STATE_CHOICES}
    # What has not ended comes first: what has ended by then does not change any more. There may be thousands, so they
    # are not read: whether one is left, a database knows at the first.
    waits = links.filter(**still).exclude(job_id__in=failures).exists()
    if not dependent.options.get('allow_failure'):
        wrong = links.filter(status__in=_WRONG).exclude(job_id__in=failures).values_list('status', 'name', 'pk')
        for status, name, pk in wrong[:1]:
            error = f'It depends on job {pk} ({name}), which ended as {status}.'
            dependent.terminate(JobStatusChoices.STATUS_ERRORED, error=error)
            return
    if failures:
        may_fail = links.filter(job_id__in=failures, **still).exists()
        if not links.filter(job_id__in=failures, status__in=_FAILURES).exists():
            if not may_fail:
                _skip(dependent, list(links.filter(job_id__in=failures).values_list('pk', flat=True)), using)
            return
    if waits or _is_gated(dependent, using):
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


def _release(job: Job) -> None:
    using = job._state.db
    gated = Job.objects.using(using).filter(dependencies=job.pk, status=JobStatusChoices.STATUS_PENDING, due=None)
    for dependent in gated.order_by('pk'):
        try:
            settle_dependent(dependent)
        except Exception:  # recovery looks at them again
            logger.exception(
                'Job %s (%s): job %s, which waits for it, could not be released.', job.pk, job.name, dependent.pk
            )


def _is_gated(job: Job, using: str | None) -> bool:
    """Return whether a job is a callback of a workflow that does not know yet whether it is needed."""
    if job.workflow_id is None:
        return False
    return WorkflowMember.objects.using(using).filter(job=job.pk, gated=True).exists()


def _is_awaited_failure(job_id: UUID, dependent: Job) -> bool:
    """Return whether a job is to fail before another one runs."""
    return str(job_id) in dependent.options.get('on_failure_of', ())


def _skip(job: Job, keys: list[int], using: str | None) -> None:
    """End a job that was to run after a failure, as there was none."""
    named = ', '.join(map(str, sorted(keys)))
    error = (
        f'It was to run after the failure of job {named}, which has not failed.'
        if named
        else ('It was to run after the failure of a job, which was deleted.')
    )
    job.notifications = JobNotificationChoices.NOTIFICATION_NEVER  # of this object alone: nobody waits for this news

    def end() -> None:
        if job.workflow_id is not None:
            WorkflowMember.objects.using(using).filter(job=job.pk, state='').update(state=SKIPPED)
        job.terminate(JobStatusChoices.STATUS_CANCELED, error=error)

    transactions.retried(end, using or job._state.db)

"""What the end of a member means for its workflow: its place is marked, and the last one ends the workflow.

Members write to their own places only, so that no row is locked by all of them. The place is marked after the end of
the job is committed; a process that dies in between leaves that to recovery. What ends a workflow, and decides which of
its callbacks run, is one transaction under the lock of its row.
"""

import logging
from functools import partial

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from ..choices import JobNotificationChoices, JobStatusChoices, WorkflowStatusChoices
from ..core import transactions
from ..models import Job, Workflow, WorkflowMember, database
from ..models.workflows import DELETED, SKIPPED
from .dependencies import settle_dependent

logger = logging.getLogger('netbox_jobs')

_WRONG = (JobStatusChoices.STATUS_FAILED, JobStatusChoices.STATUS_ERRORED)
_RIGHT = (JobStatusChoices.STATUS_COMPLETED, SKIPPED)


def settle(job: Job) -> None:
    """Mark the place of an ended job in its workflow, and end the workflow if no member is left.

    Any number of processes may do this for one job; it takes effect once.
    """
    using = job._state.db or database()
    members = WorkflowMember.objects.using(using)
    if job.status in _WRONG:
        # First: a process that dies after this leaves a place that is not marked, which recovery finds.
        failed = members.filter(job=job.pk, role='', state='').values('workflow')
        for callback in members.filter(workflow__in=failed, role='on_first_failure', gated=True):
            transactions.retried(partial(_decide, callback, True, using), using)
    members.filter(job=job.pk, state='').update(state=job.status, gated=False)
    end_if_over(job.workflow_id, using)


def end_if_over(pk: int | None, using: str) -> bool:
    """End a workflow that has no open member; return whether this call has ended it."""
    if pk is None or _open(pk, using).exists():
        return False
    return transactions.retried(lambda: _end(pk, using), using)


def mark_before_deletion(job: Job, using: str) -> None:
    """Mark the place of a job that is being deleted, in the transaction of that; the workflow is settled afterwards."""
    ended = job.status in JobStatusChoices.TERMINAL_STATE_CHOICES
    members = WorkflowMember.objects.using(using).filter(job=job.pk, state='')
    members.update(state=job.status if ended else DELETED, gated=False)
    pk = job.workflow_id
    transactions.after_commit(lambda: end_if_over(pk, using), using=using)


def unsettled(using: str) -> list[Job]:
    """Return jobs that have ended, and whose places are not marked: their process has died in between."""
    open_members = WorkflowMember.objects.using(using).filter(state='')
    # Rows that were deleted without Django.
    open_members.exclude(Exists(Job.objects.using(using).filter(pk=OuterRef('job_id')))).update(
        state=DELETED, gated=False
    )
    ended = open_members.filter(job__status__in=JobStatusChoices.TERMINAL_STATE_CHOICES).order_by('pk')
    return list(Job.objects.using(using).filter(pk__in=list(ended.values_list('job', flat=True)[:500])))


def over(using: str) -> list[int]:
    """Return the keys of workflows that run without an open member: the process of the last one has died."""
    found = WorkflowMember.objects.using(using).filter(workflow=OuterRef('pk'), role='', state='')
    rows = Workflow.objects.using(using).filter(status=WorkflowStatusChoices.STATUS_RUNNING)
    return list(rows.exclude(Exists(found)).order_by('pk').values_list('pk', flat=True)[:500])


def gated(using: str) -> Q:
    """Return the condition of callbacks that wait until it is known whether they are needed."""
    callbacks = WorkflowMember.objects.using(using).filter(job=OuterRef('pk'), gated=True)
    return Q(workflow__isnull=False) & Q(Exists(callbacks))


def _open(pk: int, using: str) -> QuerySet[WorkflowMember]:
    return WorkflowMember.objects.using(using).filter(workflow=pk, role='', state='')


def _end(pk: int, using: str) -> bool:
    rows = Workflow.objects.using(using).filter(pk=pk, status=WorkflowStatusChoices.STATUS_RUNNING)
    workflow = rows.select_for_update().first()
    members = WorkflowMember.objects.using(using).filter(workflow=pk)
    # A member may have been added before the row was locked.
    if workflow is None or members.filter(role='', state='').exists():
        return False
    states = set(members.filter(role='').order_by().values_list('state', flat=True).distinct())
    right = states <= set(_RIGHT)
    status = WorkflowStatusChoices.STATUS_COMPLETED if right else WorkflowStatusChoices.STATUS_FAILED
    status = workflow.ending or status
    rows.update(status=status, completed=timezone.now())
    needed = {
        'on_complete': True,
        'on_success': status == WorkflowStatusChoices.STATUS_COMPLETED,
        'on_first_failure': not states.isdisjoint(_WRONG),
    }
    for callback in members.filter(gated=True).order_by('pk'):
        _decide(callback, needed[callback.role], using)
    logger.info('Workflow %s (%s) has ended as %s.', pk, workflow.name, status)
    return True


def _decide(callback: WorkflowMember, needed: bool, using: str) -> None:
    """Have a callback run, or end it as not needed; in a transaction."""
    rows = WorkflowMember.objects.using(using).filter(pk=callback.pk, gated=True)
    if not rows.update(gated=False, state='' if needed else SKIPPED):
        return
    job = Job.objects.using(using).filter(pk=callback.job_id or 0).first()
    if job is None:
        return
    if needed:
        settle_dependent(job)
        return
    job.notifications = JobNotificationChoices.NOTIFICATION_NEVER  # of this object alone: no user waits for this news
    job.terminate(
        JobStatusChoices.STATUS_CANCELED,
        error=f'It was not needed as the {callback.role} of workflow {callback.workflow_id}.',
    )

"""Recovery and retention of workflows."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q

from ..choices import WorkflowStatusChoices
from ..lifecycle import workflow_cancel, workflows
from ..models import Job, Workflow, WorkflowMember, database


def recover(between: Callable[[], None]) -> None:
    """Do what a process that has died in the middle has left: mark places, end and cancel workflows.

    Args:
        between: Called between two steps; see `recovery.deliver_due()`.
    """
    using = database()
    running = Workflow.objects.using(using).filter(status=WorkflowStatusChoices.STATUS_RUNNING)
    if not running.exists() and not WorkflowMember.objects.using(using).filter(state='').exists():
        return
    for job in workflows.unsettled(using):
        between()
        workflows.settle(job)
    for pk in workflows.over(using):
        between()
        workflows.end_if_over(pk, using)
    workflow_cancel.cancel_overdue(using)
    for pk in workflow_cancel.being_canceled(using):
        between()
        workflow_cancel.carry_out(pk, using)


def without_kept(jobs: Any, cutoff: datetime, using: str) -> Any:
    """Return those of the jobs whose workflow, if they have one, has ended before a moment."""
    kept = Workflow.objects.using(using).filter(pk=OuterRef('workflow_id'))
    kept = kept.filter(Q(completed=None) | Q(completed__gte=cutoff))
    return jobs.exclude(Q(workflow__isnull=False) & Q(Exists(kept)))


def prune(cutoff: datetime, using: str, batch: int = 500) -> None:
    """Delete the workflows that have ended before a moment, and have no job any more, with their members."""
    members = WorkflowMember.objects.using(using)
    alive = members.filter(workflow=OuterRef('pk')).filter(
        Exists(Job.objects.using(using).filter(pk=OuterRef('job_id')))
    )
    # By the statuses that there are, so that the index on status and time serves it.
    ended = [status for status in WorkflowStatusChoices.values() if status != WorkflowStatusChoices.STATUS_RUNNING]
    old = Workflow.objects.using(using).filter(status__in=ended, completed__lt=cutoff)
    old = old.exclude(Exists(alive)).order_by('completed')
    while keys := list(old.values_list('pk', flat=True)[:batch]):
        members.filter(workflow__in=keys)._raw_delete(using)
        Workflow.objects.using(using).filter(pk__in=keys)._raw_delete(using)

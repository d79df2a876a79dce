"""A workflow is canceled as a whole: recorded first, and then done, so that recovery completes what was begun."""

from contextlib import suppress
from typing import Any

from django.utils import timezone

from ..choices import JobStatusChoices, WorkflowStatusChoices
from ..core.text import storable_error
from ..models import Job, Workflow, WorkflowMember, database, services
from .cancel import cancel
from .stop import stop
from .workflows import end_if_over

#: How many members one call cancels or stops; recovery does the others.
BATCH = 500


@services.cancel_workflow.provide
def cancel_workflow(workflow: Workflow, reason: str = '', user: Any = None) -> bool:
    """Cancel what waits, and stop what runs; see `Workflow.cancel()`."""
    using = workflow._state.db or database()
    status = WorkflowStatusChoices.STATUS_CANCELED
    # The record is of the decision; what follows from it may take many transactions, also those of others.
    if not services.act('cancel', workflow, lambda: _mark(workflow.pk, status, reason, using), user):
        return False
    carry_out(workflow.pk, using)
    workflow.refresh_from_db(using)
    return True


def cancel_overdue(using: str) -> None:
    """Cancel the workflows whose deadline has passed; they end as failed."""
    rows = Workflow.objects.using(using).filter(
        status=WorkflowStatusChoices.STATUS_RUNNING, ending='', deadline__lte=timezone.now()
    )
    for pk, deadline in rows.order_by('pk').values_list('pk', 'deadline')[:BATCH]:
        reason = f'It had not ended at its deadline, {deadline}.'
        if _mark(pk, WorkflowStatusChoices.STATUS_FAILED, reason, using):
            carry_out(pk, using)


def being_canceled(using: str) -> list[int]:
    """Return the keys of workflows that are being canceled and have not ended."""
    rows = Workflow.objects.using(using).filter(status=WorkflowStatusChoices.STATUS_RUNNING)
    return list(rows.exclude(ending='').order_by('pk').values_list('pk', flat=True)[:BATCH])


def carry_out(pk: int, using: str) -> None:
    """Cancel or stop members of a workflow that is being canceled; the latest first, so that each is canceled itself.

    Any number of processes may do this; each member is canceled once.
    """
    open_members = WorkflowMember.objects.using(using).filter(workflow=pk, role='', state='')
    unstopped = open_members.filter(job__status__in=JobStatusChoices.ENQUEUED_STATE_CHOICES, job__stopping=None)
    keys: list[Any] = list(unstopped.order_by('-pk').values_list('job', flat=True)[:BATCH])
    for job in Job.objects.using(using).filter(pk__in=keys).order_by('-pk'):
        with suppress(Job.DoesNotExist):
            if not cancel(job, f'Workflow {pk} was canceled.'):
                stop(job)
    end_if_over(pk, using)


def _mark(pk: int, status: str, reason: str, using: str) -> bool:
    rows = Workflow.objects.using(using).filter(pk=pk, status=WorkflowStatusChoices.STATUS_RUNNING, ending='')
    return bool(rows.update(ending=status, error=storable_error(reason)))

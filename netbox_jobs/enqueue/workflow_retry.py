"""A workflow continues: what has not completed is enqueued again, with all that comes after it."""

from datetime import datetime, timedelta
from typing import Any

from ..choices import JobStatusChoices, WorkflowStatusChoices
from ..core import transactions
from ..lifecycle.reservation import MemberOf, reserved
from ..lifecycle.workflows import end_if_over
from ..models import Job, Workflow, WorkflowMember, database, services
from ..models.workflows import SKIPPED
from .unsaved import call_transaction
from .workflows import check_deadline

_RIGHT = (JobStatusChoices.STATUS_COMPLETED, SKIPPED)


@services.retry_workflow.provide
def retry_workflow(workflow: Workflow, deadline: datetime | timedelta | None = None) -> list[Job]:
    """Enqueue members again, as new jobs in the places of the old ones; see `Workflow.retry()`."""
    using = workflow._state.db or database()
    new_deadline = check_deadline(deadline)
    with call_transaction():
        _reopen(workflow, new_deadline, using)
        members = list(WorkflowMember.objects.using(using).filter(workflow=workflow.pk).order_by('pk'))
        jobs = Job.objects.using(using).in_bulk([member.job_id for member in members])
        awaited = _awaited(workflow.pk, using)
        again = _chosen(members, awaited)
        others = {key for keys in awaited.values() for key in keys} - jobs.keys()  # jobs that are no members
        jobs |= Job.objects.using(using).in_bulk(list(others))
        made: dict[int, Job] = {}
        for member in (member for member in members if member.pk in again):
            old = jobs.get(member.job_id or 0)
            if old is None:
                raise ValueError(f'Workflow {workflow.pk} cannot be retried: the job of {member.name!r} was deleted.')
            before = [(jobs[key], made.get(key) or jobs[key]) for key in awaited.get(old.pk, ()) if key in jobs]
            made[old.pk] = _again(member, old, before)
            place = WorkflowMember.objects.using(using).filter(pk=member.pk)
            place.update(job=made[old.pk].pk, state='', gated=bool(member.role))
        transactions.after_commit(lambda: end_if_over(workflow.pk, using), using=using)
    workflow.refresh_from_db(using)
    return list(made.values())


def _reopen(workflow: Workflow, deadline: datetime | None, using: str) -> None:
    """Have the workflow run again; its row is locked until the transaction ends.

    Raises:
        ValueError: It has not ended, or has completed.
    """
    rows = Workflow.objects.using(using).filter(
        pk=workflow.pk, status__in=(WorkflowStatusChoices.STATUS_FAILED, WorkflowStatusChoices.STATUS_CANCELED)
    )
    values = {'status': WorkflowStatusChoices.STATUS_RUNNING, 'completed': None, 'deadline': deadline}
    if not rows.update(**values, ending='', error=''):
        status = Workflow.objects.using(using).filter(pk=workflow.pk).values_list('status', flat=True).first()
        raise ValueError(
            f'Workflow {workflow.pk} ({workflow.name}) is {status or "deleted"}; one that has failed or was canceled '
            'can be retried.'
        )


def _awaited(pk: int, using: str) -> dict[int, list[int]]:
    """Return the keys of the jobs that each job of a workflow waits for, or has waited for."""
    own = WorkflowMember.objects.using(using).filter(workflow=pk).values('job')
    found: dict[int, list[int]] = {}
    links = Job.dependencies.through.objects.using(using).filter(from_job_id__in=own)
    for key, other in links.values_list('from_job_id', 'to_job_id'):
        found.setdefault(key, []).append(other)
    return found


def _chosen(members: list[WorkflowMember], awaited: dict[int, list[int]]) -> set[int]:
    """Return the keys of the members that are enqueued again; those that they wait for come before them."""
    chosen: set[int] = set()
    jobs: set[Any] = set()
    for member in members:
        wrong = not member.role and member.state not in _RIGHT
        if wrong or member.role or not jobs.isdisjoint(awaited.get(member.job_id or 0, ())):
            chosen.add(member.pk)
            jobs.add(member.job_id)
    return chosen


def _again(member: WorkflowMember, old: Job, before: list[tuple[Job, Job]]) -> Job:
    """Enqueue the job of a member again.

    Args:
        member: The member.
        old: Its job.
        before: What that has waited for, each with the job that takes its place.
    """
    awaited = old.options.get('on_failure_of', ())
    failures = [new.job_id for job, new in before if str(job.job_id) in awaited]
    if awaited and not failures:
        raise ValueError(f'{member.name!r} runs after the failure of a job that was deleted; it cannot be retried.')
    place = MemberOf(
        old.runner,
        member.workflow_id,
        after=tuple(new.job_id for _job, new in before if new.job_id not in failures),
        on_failure_of=tuple(failures),
        allow_failure=bool(old.options.get('allow_failure')),
        gated=bool(member.role),
    )
    with reserved(place):
        made: Job = services.retry(old)
    return made

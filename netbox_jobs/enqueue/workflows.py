"""Workflows are made with their callbacks, and members are added under the lock of the workflow's row."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Model
from django.utils import timezone

from ..choices import WorkflowStatusChoices
from ..core import clock, transactions
from ..core.import_path import path_of
from ..core.text import check_name
from ..lifecycle.reservation import MemberOf, reserved
from ..lifecycle.workflows import end_if_over
from ..models import Job, Workflow, WorkflowMember, database
from ..models.workflows import key_of
from .identify import identify_user
from .rq_options import ids_of_jobs
from .unsaved import call_transaction

_BATCH = 500
_REFUSED = ('immediate', 'interval', 'cron')


@contextmanager
def begun(given: Mapping[str, Any], callbacks: Mapping[str, tuple[Any, dict[str, Any]]]) -> Iterator[Workflow]:
    """Make a workflow and its callbacks, in a transaction that is the block; see `Workflow.begin()`.

    Args:
        given: Its name, user and deadline.
        callbacks: A runner and the keywords of its `enqueue()`, by the names of the callbacks.
    """
    using = database()
    fields = {'name': check_name('workflow', given['name']), 'user_id': identify_user(given['user'])}
    fields['deadline'] = check_deadline(given['deadline'])
    with call_transaction():
        workflow = Workflow(**fields)
        workflow.save(using=using)
        for role, (runner, keywords) in callbacks.items():
            _add_callback(workflow, role, runner, keywords)
        yield workflow
        # One without members has none whose end would end it.
        transactions.after_commit(lambda: end_if_over(workflow.pk, using), using=using)


def add(
    workflow: Workflow, names: Sequence[str] | str, runner: Any, calls: Sequence[Mapping[str, Any]], order: MemberOf
) -> list[Job]:
    """Enqueue jobs of a runner, and give them places in a workflow, in one transaction.

    Args:
        workflow: The workflow.
        names: The name of the one member; or a sequence with what the names of several begin with.
        runner: The runner.
        calls: The keywords of its `enqueue()`.
        order: What they wait for.
    """
    for keywords in calls:
        if refused := [name for name in _REFUSED if keywords.get(name)]:
            raise ValueError(f'A member of a workflow takes no {refused[0]}: it is run once, by a worker.')
    using = workflow._state.db or database()
    with call_transaction():
        lock_running(workflow, using)
        with reserved(order):
            if isinstance(names, str):
                names = [check_name('member', names)]
                _check_free(workflow, names[0], using)
                jobs = [runner.enqueue(**calls[0])]
            else:
                jobs = runner.enqueue_many(calls)
                before = WorkflowMember.objects.using(using).filter(workflow=workflow.pk, role='').count()
                names = [f'{names[0]} {before + number}' for number in range(1, len(jobs) + 1)]
        _check_made(workflow, jobs)
        places = [_place(workflow, name, job) for name, job in zip(names, jobs, strict=True)]
        WorkflowMember.objects.using(using).bulk_create(places, batch_size=_BATCH)
    return jobs


def order_of(workflow: Workflow, runner: Any, after: Any, on_failure_of: Any) -> MemberOf:
    """Return the place of new members of a workflow, which come after others.

    Raises:
        ValueError: There is no such member.
    """
    before = tuple(_ids(workflow, 'after', after))
    failing = tuple(_ids(workflow, 'on_failure_of', on_failure_of))
    return MemberOf(path_of(runner), workflow.pk, after=before, on_failure_of=failing, user_id=workflow.user_id)


def lock_running(workflow: Workflow, using: str) -> None:
    """Lock the row of a workflow, so that it does not end before the transaction does.

    Raises:
        ValueError: It has ended, or is being canceled.
    """
    rows = Workflow.objects.using(using).filter(pk=workflow.pk).select_for_update()
    status = rows.values_list('status', 'ending').first()
    if status != (WorkflowStatusChoices.STATUS_RUNNING, ''):
        running = status is not None and status[0] == WorkflowStatusChoices.STATUS_RUNNING
        state = 'was deleted' if status is None else 'is being canceled' if running else f'is {status[0]}'
        raise ValueError(f'Workflow {workflow.pk} ({workflow.name}) {state}; members are added to one that runs.')


def check_deadline(value: datetime | timedelta | None) -> datetime | None:
    """Return a deadline as it is stored.

    Raises:
        ValueError: It is no moment in the future.
    """
    now = timezone.now()
    moment = clock.check('deadline', now + value if isinstance(value, timedelta) else value)
    if moment is not None and moment <= now:
        raise ValueError(f'deadline is {value!r}; expected a moment in the future.')
    return moment


def _add_callback(workflow: Workflow, role: str, runner: Any, keywords: dict[str, Any]) -> None:
    for name in (*_REFUSED, 'schedule_at', 'depends_on'):
        if keywords.get(name):
            raise ValueError(f'The callback {role} takes no {name}: it runs when the workflow says so.')
    place = MemberOf(path_of(runner), workflow.pk, gated=True, user_id=workflow.user_id)
    with reserved(place):
        job = runner.enqueue(**keywords)
    _check_made(workflow, [job])
    _place(workflow, f'@{role}', job, role=role).save(using=workflow._state.db)


def _place(workflow: Workflow, name: str, job: Job, role: str = '') -> WorkflowMember:
    return WorkflowMember(
        workflow_id=workflow.pk, key=key_of(name), name=name, job_id=job.pk, role=role, gated=bool(role)
    )


def _check_made(workflow: Workflow, jobs: Sequence[Job]) -> None:
    """Check that `enqueue()` has made members.

    Raises:
        ValueError: It has returned another job: that of `Meta.unique`, or of an `enqueue()` of the runner's own.
    """
    places = WorkflowMember.objects.using(workflow._state.db).filter(workflow=workflow.pk)
    known: set[Any] = set((places.filter(job=jobs[0].pk) if len(jobs) == 1 else places).values_list('job', flat=True))
    for job in jobs:
        if job.workflow_id != workflow.pk or job.pk in known:
            raise ValueError(
                f'The runner has returned job {job.pk}, which is no new member of workflow {workflow.pk}: its '
                'Meta.unique has found an equal job, or its enqueue() has not enqueued it.'
            )
        known.add(job.pk)


def _check_free(workflow: Workflow, name: str, using: str) -> None:
    if name.startswith('@'):
        raise ValueError(f'The name of a member is {name!r}; names that begin with @ are those of callbacks.')
    if WorkflowMember.objects.using(using).filter(workflow=workflow.pk, key=key_of(name)).exists():
        raise ValueError(f'Workflow {workflow.pk} ({workflow.name}) has a member named {name!r} already.')


def _ids(workflow: Workflow, option: str, value: Any) -> Iterator[UUID]:
    """Yield the `job_id`s of members, given by their names, or of jobs."""
    several = isinstance(value, Iterable) and not isinstance(value, str | Model)
    for item in value if several else [value]:
        if not isinstance(item, str):
            yield from ids_of_jobs(option, item)
        elif (job := workflow.job(item)) is not None:
            yield job.job_id
        else:
            raise ValueError(f'{option} names {item!r}; workflow {workflow.pk} ({workflow.name}) has no such member.')

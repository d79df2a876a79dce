"""Workflows as pages and the terminal show them: members with their states, and the order among them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Case, IntegerField, Value, When

from ..choices import JobStatusChoices
from ..core import formatting
from ..models import Job, Workflow, WorkflowMember
from ..models.workflows import DELETED, WorkflowCounts, counts_of

#: How many members a page, or the terminal, lists.
LISTED = 200


@dataclass
class MemberState:
    """A member of a workflow, or a callback of it."""

    name: str
    job: int | None
    runner: str
    #: Of the job; or 'skipped' or 'deleted'.
    status: str
    #: For a callback, which one it is.
    role: str = ''
    #: The names of the members that it comes after, and of those on whose failure it runs.
    after: list[str] = field(default_factory=list)
    on_failure_of: list[str] = field(default_factory=list)
    #: Where it stands in the graph: 0 for one that comes after none.
    level: int = 0


@dataclass
class WorkflowState:
    """A workflow with its members."""

    workflow: Workflow
    counts: WorkflowCounts
    #: Those that have not completed come first, if there are more than are listed.
    members: list[MemberState]
    callbacks: list[MemberState]

    @property
    def complete(self) -> bool:
        """Whether all members are listed, and the order among them is known."""
        return len(self.members) == self.counts.total


def counts(workflows: Iterable[Workflow], using: str | None) -> dict[int, WorkflowCounts]:
    """Return the counts of these workflows by their keys, from one query."""
    return counts_of([workflow.pk for workflow in workflows], using)


def in_words(counts: WorkflowCounts) -> list[tuple[str, int]]:
    """Return the words for where members stand, with their numbers, without those where none stands."""
    names = ('running', 'waiting', 'completed', 'failed', 'errored', 'canceled', 'skipped', 'deleted')
    return [(formatting.status(name).lower(), number) for name in names if (number := getattr(counts, name))]


def state_of(workflow: Workflow, limit: int = LISTED) -> WorkflowState:
    """Return a workflow with its members, from five queries."""
    using = workflow._state.db
    numbers = workflow.counts
    rows = WorkflowMember.objects.using(using).filter(workflow=workflow.pk)
    listed = rows.filter(role='')
    if numbers.total > limit:
        right = When(job__status=JobStatusChoices.STATUS_COMPLETED, then=Value(1))
        listed = listed.alias(rank=Case(right, default=Value(0), output_field=IntegerField())).order_by('rank', 'pk')
    else:
        listed = listed.order_by('pk')
    members, callbacks = list(listed[:limit]), list(rows.exclude(role='').order_by('pk'))
    keys = [row.job_id for row in (*members, *callbacks)]
    jobs: dict[Any, Job] = dict(Job.objects.using(using).only('runner', 'status', 'options', 'job_id').in_bulk(keys))
    states = {row.job_id: _state(row, jobs.get(row.job_id)) for row in (*members, *callbacks)}
    _add_order(states, jobs, using)
    return WorkflowState(
        workflow, numbers, [states[row.job_id] for row in members], [states[row.job_id] for row in callbacks]
    )


def levels(members: Sequence[MemberState]) -> list[list[MemberState]]:
    """Return the members by the levels of the graph."""
    found: dict[int, list[MemberState]] = defaultdict(list)
    for member in members:
        found[member.level].append(member)
    return [found[level] for level in sorted(found)]


def _state(row: WorkflowMember, job: Job | None) -> MemberState:
    status = row.state or (job.status if job is not None else DELETED)
    return MemberState(
        row.name, job.pk if job is not None else None, job.runner if job is not None else '', status, row.role
    )


def _add_order(states: dict[Any, MemberState], jobs: dict[Any, Job], using: str | None) -> None:
    """Set what each member comes after; a member is added after all of those."""
    links = Job.dependencies.through.objects.using(using).filter(from_job_id__in=list(jobs))
    before = defaultdict(list)
    for key, other in links.order_by('to_job_id').values_list('from_job_id', 'to_job_id'):
        if other in states and key in states:
            before[key].append(other)
    places = {key: place for place, key in enumerate(states)}
    for key in sorted(before, key=places.__getitem__):
        failures = set(jobs[key].options.get('on_failure_of', ()))
        for other in before[key]:
            fails = other in jobs and str(jobs[other].job_id) in failures
            (states[key].on_failure_of if fails else states[key].after).append(states[other].name)
        states[key].level = 1 + max(states[other].level for other in before[key])

"""Workflows in the chaos: each ends, and each of its callbacks runs if it is needed, and only then."""

import random
from collections import Counter
from collections.abc import Iterable
from typing import Any

from netbox_jobs.choices import JobStatusChoices
from netbox_jobs.models import Job, Workflow, WorkflowMember
from netbox_jobs.workflows import batch
from tests.app.flows import Callback, Last, OtherCallback, Part
from tests.app.models import Trace

from .state import State

CALLBACKS = {'on_first_failure': OtherCallback, 'on_success': Callback, 'on_complete': Last}


def begin(chaos: State) -> None:
    """Begin a workflow: a batch, or members with an order, some of which fail."""
    rng = random.Random(chaos.seed * 100_000 + len(chaos.enqueued))  # of its own: the plan of the faults stays
    if rng.random() < 0.5:
        fails = rng.choice((None, 2))
        size = rng.choice((4, 4, 30))
        calls = [{'fails': number == fails, 'queue_name': rng.choice(chaos.queues)} for number in range(size)]
        chaos.members[batch(Part, calls, name='Chaos', **CALLBACKS).pk] = size
        return
    with Workflow.begin('Chaos', **CALLBACKS) as flow:
        flow.add('a', Part, queue_name=rng.choice(chaos.queues), fails=rng.random() < 0.3)
        flow.add('b', Part, reads=['a'], after='a')
        flow.add('c', Part, after='a')
        flow.add('alarm', Part, on_failure_of=['b', 'c'])
    chaos.members[flow.pk] = 4


def are_open() -> bool:
    """Whether a workflow, or a callback of one, has not ended."""
    return _running().exists() or _open_jobs().exists()


def wrong(chaos: State) -> dict[str, list[Any]]:
    """What must be nought."""
    found: dict[str, list[Any]] = {
        'workflows that have not ended': list(_running().values_list('pk', flat=True)),
        'jobs of workflows that have not ended': list(_open_jobs().values_list('pk', flat=True)),
        'workflows that do not have each of their members, ended': [
            flow.pk
            for flow in Workflow.objects.filter(pk__in=chaos.members)
            if not flow.counts.total == flow.counts.done == chaos.members[flow.pk]
        ],
        'workflows that are gone': sorted(
            chaos.members.keys() - set(Workflow.objects.values_list('pk', flat=True)),
        ),
        'completed members of workflows that never ran': [],
        'callbacks that ran without need, or not although they were needed': [],
        'callbacks that ran again without leave': [],
    }
    runs = Counter(Trace.objects.filter(what='ran').values_list('job_pk', flat=True))
    members = Job.objects.filter(workflow__isnull=False, name=Part.name, status='completed')
    found['completed members of workflows that never ran'] = [job.pk for job in members if not runs[job.pk]]
    for flow in Workflow.objects.all():
        for member, job in _callbacks(flow):
            counts = flow.counts
            needed = {
                'on_complete': True,
                'on_success': flow.status == 'completed',
                'on_first_failure': counts.failed + counts.errored > 0,
            }[member.role]
            # A callback whose process was killed is run again, as its runner asks for that.
            if needed != (runs[job.pk] > 0 and job.status == 'completed'):
                found['callbacks that ran without need, or not although they were needed'].append(job.pk)
            if runs[job.pk] > 1 + job.crashes:
                found['callbacks that ran again without leave'].append(job.pk)
    return found


def _running() -> Any:
    return Workflow.objects.filter(status='running')


def _open_jobs() -> Any:
    return Job.objects.filter(workflow__isnull=False, status__in=JobStatusChoices.ENQUEUED_STATE_CHOICES)


def _callbacks(flow: Workflow) -> Iterable[tuple[WorkflowMember, Job]]:
    for member in flow.members.exclude(role=''):
        if (job := Job.objects.filter(pk=member.job_id or 0).first()) is not None:
            yield member, job

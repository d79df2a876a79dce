"""Workflows: what they are made of, and what they return."""

from datetime import datetime, timedelta
from typing import assert_type

from netbox_jobs.jobs import Job
from netbox_jobs.workflows import Workflow, WorkflowCounts, batch, chain, group

from .runners import Sync

with Workflow.begin('x', deadline=timedelta(hours=1), on_success=Sync.using().call('x')) as flow:
    assert_type(flow, Workflow)
    assert_type(flow.add('a', Sync, word='x', queue_name='low'), Job)
    assert_type(flow.add('b', Sync.using(queue_name='low'), after='a', word='x'), Job)
    assert_type(flow.add_many(Sync, [{'word': 'x'}], after=['a', 'b'], name='many'), list[Job])
    flow.add(1, Sync)  # type: ignore[arg-type]
    flow.add_many(Sync, ['x'])  # type: ignore[list-item]
Workflow.begin('x', deadline=60)  # type: ignore[arg-type]

# call() takes exactly the arguments of run()
Sync.using(queue_name='low').call(word='x', times=2)
Sync.using().call(wrod='x')  # type: ignore[call-arg]
Sync.using().call(word=1)  # type: ignore[arg-type]

assert_type(chain(Sync, group(Sync, Sync.using().call('x'))).enqueue('x', deadline=datetime.now()), Workflow)
assert_type(batch(Sync, [{'word': 'x'}], on_complete=Sync).counts, WorkflowCounts)
assert_type(flow.cancel('why'), bool)
assert_type(flow.retry(deadline=timedelta(hours=1)), list[Job])
assert_type(flow.job('a'), Job | None)
Sync.enqueue(after=[flow.job('a')], on_failure_of=Sync.enqueue())

"""Workflows in recovery and retention."""

from datetime import timedelta

import pytest
from django.utils import timezone

from netbox_jobs.lifecycle import claim, workflow_cancel
from netbox_jobs.maintenance import recovery, retention
from netbox_jobs.models import Job, JobLogEntry, Workflow, WorkflowMember
from netbox_jobs.testing import run_jobs
from netbox_jobs.workflows import batch
from tests.app.flows import Callback, Part
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)


def age(days, **fields):
    """Have all that has ended be so many days older."""
    moved = timezone.now() - timedelta(days=days)
    Job.objects.exclude(completed=None).update(created=moved, completed=moved)
    JobLogEntry.objects.update(timestamp=moved)
    Workflow.objects.exclude(completed=None).update(completed=moved)


def test_an_unfinished_workflow_is_not_pruned_and_an_ended_one_is_as_a_whole():
    with Workflow.begin('Old', on_complete=Callback) as flow:
        flow.add('a', Part, value=1)
        flow.add('b', Part, reads=['a'], after='a', queue_name='low')
    alone = Part.enqueue()
    run_jobs(queue_names=['default'])
    age(1000)
    assert retention.prune(30) == 1
    assert not Job.objects.filter(pk=alone.pk).exists()
    run_jobs()
    assert flow.job('b').data['read']['a']['value'] == 1
    age(1000)
    Workflow.objects.update(completed=timezone.now())
    assert retention.prune(30) == 0
    age(1000)
    assert retention.prune(30) == 3
    assert not Workflow.objects.exists() and not WorkflowMember.objects.exists()


def test_a_workflow_is_kept_while_its_callback_has_not_ended():
    flow = batch(Part, [{}], on_complete=Callback.using(queue_name='low'))
    run_jobs(queue_names=['default'])
    age(1000)
    assert retention.prune(30) == 1
    assert Workflow.objects.count() == 1 and status(flow.job('@on_complete')) == 'pending'
    run_jobs()
    age(1000)
    assert retention.prune(30) == 1
    assert not Workflow.objects.exists()


def test_a_workflow_whose_deadline_has_passed_fails_and_what_waits_is_canceled():
    with Workflow.begin('Late', deadline=timedelta(hours=1), on_complete=Callback) as flow:
        flow.add('a', Part)
        flow.add('b', Part, after='a')
    recovery.settle_dependents()
    assert Workflow.objects.get().status == 'running'
    Workflow.objects.update(deadline=timezone.now() - timedelta(seconds=1))
    recovery.settle_dependents()
    flow.refresh_from_db()
    assert flow.status == 'failed' and 'deadline' in flow.error
    assert flow.counts.canceled == 2 and 'was canceled' in flow.job('a').error
    run_jobs()
    assert status(flow.job('@on_complete')) == 'completed'
    flow.retry(deadline=timedelta(hours=1))
    run_jobs()
    flow.refresh_from_db()
    assert flow.status == 'completed'


def test_recovery_cancels_what_one_call_does_not(monkeypatch):
    monkeypatch.setattr(workflow_cancel, 'BATCH', 2)
    flow = batch(Part, [{}] * 5)
    running = claim.claim(str(flow.job('Part 5').job_id), 'worker', 'default')
    assert flow.cancel()
    assert (flow.counts.canceled, flow.counts.waiting, flow.counts.running) == (1, 3, 1)
    for _ in range(3):
        recovery.settle_dependents()
    assert (flow.counts.canceled, flow.counts.running) == (4, 1)
    running.refresh_from_db()
    assert running.stopping is not None
    running.terminate('canceled')
    assert Workflow.objects.get().status == 'canceled'


def test_rows_of_members_that_were_deleted_by_sql_count_as_deleted():
    flow = batch(Part, [{}] * 2)
    Job.objects.filter(pk=flow.job('Part 1').pk)._raw_delete('default')
    assert (flow.counts.deleted, flow.counts.waiting) == (1, 1)
    run_jobs()
    recovery.settle_dependents()
    assert Workflow.objects.get().status == 'failed'


def test_recovery_leaves_callbacks_and_members_that_rightly_wait():
    with Workflow.begin('Waiting', on_complete=Callback, on_success=Callback) as flow:
        flow.add('a', Part, queue_name='low')
        flow.add('b', Part, after='a')
    assert recovery.settle_dependents() == 0
    assert {job.due for job in Job.objects.exclude(pk=flow.job('a').pk)} == {None}

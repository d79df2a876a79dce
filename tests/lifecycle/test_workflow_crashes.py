"""Workflows survive a process that dies at any statement: no member waits for ever, and each callback runs once."""

import pytest

from netbox_jobs.broker import delivery
from netbox_jobs.lifecycle import claim
from netbox_jobs.maintenance import recovery
from netbox_jobs.maintenance.orphans import end_orphan
from netbox_jobs.models import Job, Workflow, WorkflowMember
from netbox_jobs.testing import run_jobs
from netbox_jobs.workflows import batch
from tests.app.flows import Callback, Last, OtherCallback, Part
from tests.app.models import Trace
from tests.dying import at_each_statement
from tests.processes import status, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.chaos]
CALLBACKS = {'on_first_failure': OtherCallback, 'on_success': Callback, 'on_complete': Last}


def recover():
    """What workers do within seconds."""
    for job in Job.objects.running():
        end_orphan(job, 'its process has died', may_retry=False)
    recovery.settle_dependents()
    recovery.deliver_due()
    Job.objects.filter(status='pending', due__isnull=False).update(due=1)
    recovery.redeliver_vanished()


def to_the_end():
    for _ in range(5):
        recover()
        run_jobs(raise_errors=False)
        if not _open():
            break
    assert not _open()


def _open():
    jobs = Job.objects.filter(status__in=('pending', 'scheduled', 'running'))
    running = Workflow.objects.filter(status='running')
    return jobs.exists() or running.exists() or WorkflowMember.objects.filter(state='').exists()


def reset():
    for model in (WorkflowMember, Workflow, Trace, Job.dependencies.through, Job):
        model.objects.all()._raw_delete('default')
    delivery.queue('default').empty()


def assert_callbacks(flow):
    failed = flow.counts.failed + flow.counts.errored > 0
    completed = Workflow.objects.get(pk=flow.pk).status == 'completed'
    needed = {'on_first_failure': failed, 'on_success': completed, 'on_complete': True}
    for role, is_needed in needed.items():
        job = flow.job(f'@{role}')
        ran = Trace.objects.filter(job_pk=job.pk).count()
        assert (status(job), ran) == (('completed', 1) if is_needed else ('canceled', 0)), role


def three(**kwargs):
    with Workflow.begin('Three', **CALLBACKS) as flow:
        flow.add('a', Part, **kwargs)
        flow.add('b', Part, reads=['a'], after='a')
        flow.add('alarm', Part, on_failure_of='a')
    return flow


def test_made_by_a_process_that_dies_at_any_statement_there_is_the_whole_workflow_or_none():
    for number in at_each_statement(three):
        flows = list(Workflow.objects.all())
        assert len(flows) < 2, number
        assert Job.objects.count() == WorkflowMember.objects.count() == 6 * len(flows)
        for flow in flows:  # the process has died after the commit, and before Redis had the first job
            to_the_end()
            assert_callbacks(flow)
            reset()
    assert number > 20


@pytest.mark.parametrize('how', ['failed', 'last', 'deleted'])
def test_the_end_of_a_member_by_a_process_that_dies_at_any_statement_loses_nothing(how):
    """The end of the first member, of the last one, and of one that waits."""

    def begin():
        reset()
        if how == 'last':
            flows[:] = [batch(Part, [{}], **CALLBACKS)]
            jobs[:] = [flows[0].job('Part 1')]
        else:
            flows[:] = [three()]
            jobs[:] = [flows[0].job('a')]
        if how != 'deleted':
            jobs[:] = [claim.claim(str(jobs[0].job_id), 'worker', 'default')]

    def act():
        if how == 'deleted':
            jobs[0].delete()
        else:
            jobs[0].terminate('failed' if how == 'failed' else 'completed')

    flows: list[Workflow] = []
    jobs: list[Job] = []
    begin()
    for number in at_each_statement(act):
        to_the_end()
        (flow,) = Workflow.objects.all()
        assert flow.counts.done == flow.counts.total, number
        assert_callbacks(flow)
        begin()
    assert number >= 3


def test_canceled_by_a_process_that_dies_at_any_statement_it_is_canceled_or_goes_on():
    flows = [three()]
    for number in at_each_statement(lambda: Workflow.objects.get(pk=flows[0].pk).cancel()):
        flow = Workflow.objects.get()
        if not flow.ending:
            assert flow.counts.waiting == 3 and flow.status == 'running', number
            continue
        to_the_end()
        flow.refresh_from_db()
        assert flow.status == 'canceled', number
        assert_callbacks(flow)
        reset()
        flows[:] = [three()]
    assert number > 5


def test_retried_by_a_process_that_dies_at_any_statement_it_is_as_before_or_runs_again():
    flow = three(fails_at_first=True)
    to_the_end()
    before = Job.objects.count()
    Trace.objects.all().delete()
    for number in at_each_statement(lambda: Workflow.objects.get(pk=flow.pk).retry()):
        flow.refresh_from_db()
        if flow.status == 'failed':
            assert Job.objects.count() == before, number
            continue
        to_the_end()
        flow.refresh_from_db()
        assert flow.status == 'completed', number
        assert_callbacks(flow)
        break
    assert number > 20


def test_redis_is_flushed_while_members_and_callbacks_wait():
    flow = three()
    for _ in range(3):
        delivery.queue('default').connection.flushdb()
        to_the_end()
    assert_callbacks(flow)


@pytest.mark.process
@pytest.mark.timeout(240)
def test_workers_are_killed_and_each_member_completes_and_each_callback_runs_once(start_worker):
    calls = [{'value': number, 'dies_at_first': number % 4 == 0} for number in range(24)]
    start_worker(TEST_NETBOX_JOBS_WORKER_TIMEOUT='6')
    with Workflow.begin('Killed', on_complete=Last, on_success=Callback) as flow:
        jobs = flow.add_many(Part, calls)
        flow.add('sum', Part, after=jobs, reads=['Part 1', 'Part 24'])
    wait_for(lambda: status(flow.job('@on_complete')) == 'completed', 120)
    wait_for(lambda: status(flow.job('@on_success')) == 'completed', 120)
    assert flow.counts.completed == flow.counts.total == 25
    assert flow.job('sum').data['read']['Part 24']['value'] == 23
    for role in ('on_complete', 'on_success'):
        assert Trace.objects.filter(job_pk=flow.job(f'@{role}').pk).count() == 1


@pytest.mark.process
def test_killed_when_the_end_of_the_last_member_is_committed_and_before_anything_else_the_callbacks_run(start_worker):
    flow = batch(Part, [{}], on_complete=Last)
    start_worker(TEST_KILL_AT='after it')
    wait_for(lambda: status(flow.job('@on_complete')) == 'completed', 60)
    assert Workflow.objects.get().status == 'completed'

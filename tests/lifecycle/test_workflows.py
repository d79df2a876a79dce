"""Workflows: which members run, in which order, with which results, and how the whole ends."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import transaction

from netbox_jobs.exceptions import JobFailed
from netbox_jobs.models import AuditEntry, Job, Workflow, WorkflowMember
from netbox_jobs.monitoring import waiting
from netbox_jobs.testing import run_jobs
from netbox_jobs.workflows import batch
from tests.app.flows import Adding, AfterIsAnArgument, Callback, Last, OtherCallback, Part
from tests.app.models import Trace
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)


def states(workflow):
    """The statuses of the members, by name, as the counts have them."""
    rows = (
        WorkflowMember.objects.filter(workflow=workflow.pk).order_by('pk').values_list('name', 'state', 'job__status')
    )
    return {name: state or status for name, state, status in rows}


def fresh(workflow):
    return Workflow.objects.get(pk=workflow.pk)


def runs(job):
    return Trace.objects.filter(job_pk=job.pk).count()


def run():
    return run_jobs(raise_errors=False)


def of_three(**fails):
    with Workflow.begin('Three') as flow:
        flow.add('a', Part, value=1, fails=fails.get('a', False))
        flow.add('b', Part, value=2, reads=['a'], after='a', fails=fails.get('b', False))
        flow.add('alarm', Part, on_failure_of=['a', 'b'])
    return flow


def test_members_run_in_their_order_and_read_the_results_of_others():
    with Workflow.begin('Diamond') as flow:
        flow.add('a', Part, value=1)
        flow.add('b', Part, value=2, reads=['a'], after='a')
        flow.add('c', Part, value=3, reads=['a'], after=('a',))
        last = flow.add('d', Part, reads=['b', 'c'], after=['b', 'c'])
    ran = [job.pk for job in run()]
    assert ran[0] == flow.job('a').pk and ran[3] == last.pk
    read = flow.job('d').data['read']
    assert {name: data['value'] for name, data in read.items()} == {'b': 2, 'c': 3}
    assert read['b']['read'] == {'a': {'value': 1, 'read': {}}}
    assert fresh(flow).status == 'completed' and fresh(flow).completed is not None


def test_after_and_on_failure_of_need_no_workflow():
    good, bad = Part.enqueue(), Part.enqueue(fails=True)
    after, never = Part.enqueue(after=good), Part.enqueue(on_failure_of=[good])
    alarm, broken = Part.enqueue(on_failure_of=bad.job_id), Part.enqueue(after=[good, bad])
    assert waiting.reason(after).jobs == (good.pk,)
    assert waiting.reason(alarm).jobs == (bad.pk,)
    run()
    assert [status(job) for job in (after, never, alarm, broken)] == ['completed', 'canceled', 'completed', 'errored']
    never.refresh_from_db()
    assert f'after the failure of job {good.pk}' in never.error


def test_one_failure_of_several_is_enough():
    bad, later = Part.enqueue(fails=True), Part.using(schedule_at=None, queue_name='low').enqueue()
    alarm = Part.using(queue_name='high', on_failure_of=[bad, later]).enqueue()
    run_jobs(queue_names=['default', 'high'], raise_errors=False)
    assert (status(alarm), status(later)) == ('completed', 'pending')


def test_arguments_named_as_the_options_remain_arguments():
    job = AfterIsAnArgument.enqueue(after='x', on_failure_of='y')
    first = Part.enqueue(fails=True)
    gated = AfterIsAnArgument.using(on_failure_of=first).call(after='z')
    run()
    job.refresh_from_db()
    assert job.data == ['x', 'y']
    assert gated.keywords['on_failure_of'] is first


@pytest.mark.parametrize(
    ('how', 'expected', 'ended'),
    [
        ({}, ['completed', 'completed', 'skipped'], 'completed'),
        ({'a': True}, ['failed', 'errored', 'completed'], 'failed'),
        ({'b': True}, ['completed', 'failed', 'completed'], 'failed'),
    ],
)
def test_the_dependents_of_a_failed_member_end_and_say_why(how, expected, ended):
    flow = of_three(**how)
    run()
    assert list(states(flow).values()) == expected
    assert fresh(flow).status == ended
    if 'a' in how:
        assert f'depends on job {flow.job("a").pk}' in flow.job('b').error


def test_the_dependents_of_a_canceled_member_end():
    flow = of_three()
    flow.job('a').cancel()
    run()
    # `b` is errored, which is what the alarm waits for.
    assert list(states(flow).values()) == ['canceled', 'errored', 'completed']
    assert fresh(flow).status == 'failed'


def test_a_deleted_member_counts_as_not_completed_and_the_workflow_goes_on_without_it():
    flow = of_three()
    flow.job('a').delete()
    assert flow.counts.deleted == 1
    assert 'was deleted before it had ended' in flow.job('b').error
    run()
    assert list(states(flow).values()) == ['deleted', 'errored', 'completed']
    assert fresh(flow).status == 'failed'


def test_the_last_open_member_is_deleted_and_the_workflow_ends():
    with Workflow.begin('One', on_complete=Callback) as flow:
        flow.add('a', Part)
    flow.job('a').delete()
    assert fresh(flow).status == 'failed'
    run()
    assert status(flow.job('@on_complete')) == 'completed'


def test_a_member_that_ended_is_deleted_and_the_others_go_on():
    flow = of_three()
    job = flow.job('a')
    job.start()
    job.terminate()
    job.delete()
    run()
    assert list(states(flow).values()) == ['completed', 'errored', 'completed']
    assert "'a' is no member of workflow" in flow.job('b').error


def test_deleting_a_failed_dependency_whose_process_died_before_it_released_others_does_not_run_them():
    first = Part.enqueue()
    after, alarm = Part.enqueue(after=first), Part.enqueue(on_failure_of=first)
    Job.objects.filter(pk=first.pk).update(status='failed')
    Job.objects.get(pk=first.pk).delete()
    run()
    assert (status(after), status(alarm)) == ('errored', 'completed')


def test_a_workflow_is_not_over_while_a_member_adds_to_it():
    with Workflow.begin('Growing') as flow:
        flow.add('adding', Adding)
    run()
    assert fresh(flow).status == 'completed'
    assert list(states(flow)) == ['adding', 'added 2', 'added 3', 'added 4', 'last']
    with pytest.raises(ValueError, match='is completed; members are added to one that runs'):
        flow.add('late', Part)


def test_nothing_is_there_before_the_commit_and_after_a_rollback():
    with transaction.atomic():
        flow = of_three()
        transaction.set_rollback(True)
    assert not Workflow.objects.exists() and not WorkflowMember.objects.exists() and not Job.objects.exists()
    with pytest.raises(ZeroDivisionError), Workflow.begin('Broken') as flow:
        flow.add('a', Part)
        assert 1 / 0
    assert not Workflow.objects.exists() and not Job.objects.exists()


CALLBACKS = {'on_first_failure': OtherCallback, 'on_success': Callback, 'on_complete': Last}


@pytest.mark.parametrize('failing', [0, 1, 3])
def test_each_callback_runs_exactly_once_if_it_is_needed(failing):
    calls = [{'value': number, 'fails': number < failing} for number in range(6)]
    flow = batch(Part, calls, name='Six', **CALLBACKS)
    callbacks = {role: flow.job(f'@{role}') for role in CALLBACKS}
    assert {waiting.reason(job).workflow for job in callbacks.values()} == {flow.pk}
    run()
    needed = {'on_first_failure': failing > 0, 'on_success': not failing, 'on_complete': True}
    for role, job in callbacks.items():
        assert (status(job), runs(job)) == (('completed', 1) if needed[role] else ('canceled', 0)), role
    assert fresh(flow).status == ('failed' if failing else 'completed')
    assert (flow.counts.failed, flow.counts.completed, flow.counts.percent) == (failing, 6 - failing, 100)
    assert flow.job('@on_complete').data['results'] == 6 - failing


def test_on_first_failure_does_not_wait_for_the_others():
    flow = batch(Part, [{'fails': True}, {'queue_name': 'low'}], **CALLBACKS)
    run_jobs(queue_names=['default'], raise_errors=False)
    assert status(flow.job('@on_first_failure')) == 'completed'
    assert (flow.counts.waiting, status(flow.job('@on_complete'))) == (1, 'pending')


def test_a_callback_waits_for_the_retries_of_a_member():
    with Workflow.begin('Retried', on_complete=Callback) as flow:
        job = flow.add('a', Part.using(max_retries=1, retry_on=JobFailed), fails=True)
    run()
    assert (status(job), status(flow.job('@on_complete'))) == ('scheduled', 'pending')
    run_jobs(until=timedelta(hours=1), raise_errors=False)
    assert (status(job), status(flow.job('@on_complete'))) == ('failed', 'completed')


def test_a_workflow_without_members_is_completed_and_its_callbacks_run():
    with Workflow.begin('Empty', on_success=Callback.using().call(note='none')) as flow:
        pass
    assert fresh(flow).status == 'completed'
    run()
    assert flow.job('@on_success').data == {'note': 'none', 'results': 0, 'names': []}


def test_cancel_cancels_what_waits_and_ends_the_workflow():
    with Workflow.begin('Canceled', on_complete=Callback, on_success=OtherCallback) as flow:
        flow.add('a', Part)
        flow.add('b', Part, after='a')
    assert flow.cancel('not today') and not flow.cancel()
    assert (flow.status, flow.error) == ('canceled', 'not today')
    assert list(states(flow).values()) == ['skipped', 'pending', 'canceled', 'canceled']
    run()
    assert status(flow.job('@on_complete')) == 'completed'
    with pytest.raises(ValueError, match='is canceled'):
        flow.add('c', Part)


def test_cancel_within_a_transaction_that_rolls_back_cancels_nothing():
    flow = of_three()
    with transaction.atomic():
        flow.cancel()
        transaction.set_rollback(True)
    run()
    assert fresh(flow).status == 'completed'


def test_retry_enqueues_what_has_not_completed_and_what_comes_after_it():
    with Workflow.begin('Retried', **CALLBACKS) as flow:
        flow.add('a', Part, value=1)
        flow.add('b', Part, value=2, after='a', fails_at_first=True)
        flow.add('c', Part, reads=['a', 'b'], after='b')
        flow.add('alarm', Part, on_failure_of='b')
    run()
    before = {name: flow.job(name) for name in states(flow)}
    assert fresh(flow).status == 'failed'
    made = flow.retry()
    assert {job.retry_of_id for job in made} == {before[name].pk for name in before if name != 'a'}
    run()
    assert fresh(flow).status == 'completed' and fresh(flow).error == ''
    assert [states(flow)[name] for name in ('a', 'b', 'c', 'alarm')] == ['completed'] * 3 + ['skipped']
    assert flow.job('a').pk == before['a'].pk and flow.job('b').pk != before['b'].pk
    assert flow.job('c').data['read']['b']['value'] == 2
    assert status(flow.job('@on_success')) == 'completed'
    with pytest.raises(ValueError, match='is completed'):
        flow.retry()


def test_retry_twice_keeps_the_order():
    flow = of_three(a=True)
    for _ in range(2):
        run()
        assert list(states(flow).values()) == ['failed', 'errored', 'completed']
        flow.retry()
    assert list(flow.job('b').dependencies.all()) == [flow.job('a')]
    assert flow.job('alarm').options['on_failure_of'] == [str(flow.job('a').job_id), str(flow.job('b').job_id)]


def test_a_workflow_whose_member_was_deleted_is_not_retried():
    flow = of_three()
    flow.job('a').delete()
    run()
    with pytest.raises(ValueError, match="the job of 'a' was deleted"):
        flow.retry()
    assert fresh(flow).status == 'failed'


def test_a_long_chain_of_members_ends_after_a_failure_without_a_deep_stack():
    with Workflow.begin('Long') as flow:
        flow.add('0', Part, fails=True)
        for number in range(1, 120):
            flow.add(str(number), Part, after=str(number - 1))
    run()
    assert flow.counts.errored == 119
    assert fresh(flow).status == 'failed'


def test_who_canceled_and_who_retried_is_recorded():
    user = User.objects.create(username='ada')
    flow = of_three()
    flow.cancel(user=user)
    flow.retry(user=user)
    recorded = AuditEntry.objects.order_by('pk').values_list('actor', 'action', 'object_type', 'object_id')
    assert list(recorded) == [('ada', action, 'workflow', str(flow.pk)) for action in ('cancel', 'retry')]

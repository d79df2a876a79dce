"""Calls that make workflows: what they store, what they cost, and what is refused before anything is written."""

from datetime import datetime, timedelta

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from netbox_jobs.lifecycle import claim
from netbox_jobs.models import Job, Workflow, WorkflowMember
from netbox_jobs.testing import arun_jobs, run_jobs
from netbox_jobs.workflows import abatch, batch, chain, group
from tests.app.flows import Callback, OnePart, Part
from tests.app.jobs import Plain
from tests.app.waiting import Approved

pytestmark = pytest.mark.django_db(transaction=True)


def after(job):
    return {member.name for member in WorkflowMember.objects.filter(job__in=job.dependencies.all())}


def test_chains_and_groups_contain_each_other():
    first = Part.using(queue_name='high').call(value='first')
    flow = chain(first, group(Part, chain(Part, Part.using(name='own'))), Callback).enqueue(name='Nested')
    names = list(flow.members.order_by('pk').values_list('name', flat=True))
    assert names == ['Part', 'Part 2', 'Part 3', 'Part 4', 'Callback']
    assert [after(flow.job(name)) for name in names] == [set(), {'Part'}, {'Part'}, {'Part 3'}, {'Part 2', 'Part 4'}]
    assert (flow.job('Part').queue_name, flow.job('Part 4').name, flow.name) == ('high', 'own', 'Nested')
    run_jobs()
    flow.refresh_from_db()
    assert flow.status == 'completed'


def test_a_chain_goes_on_behind_an_empty_group_and_an_empty_one_is_over():
    flow = chain(Part, group(), Callback).enqueue()
    assert after(flow.job('Callback')) == {'Part'}
    flow = chain().enqueue()
    flow.refresh_from_db()
    assert flow.status == 'completed'


def test_a_batch_is_stored_in_a_number_of_statements_that_does_not_grow_with_it():
    def statements(number):
        with CaptureQueriesContext(connection) as captured:
            flow = batch(Part, [{'value': place} for place in range(number)], on_complete=Callback)
        assert flow.counts.total == flow.counts.waiting == number
        return len(captured)

    statements(2)
    assert statements(400) <= statements(20) + 25  # SQLite takes fewer rows in an INSERT


def test_the_end_of_a_member_costs_two_statements_more_and_that_of_another_job_none():
    def statements(job):
        claimed = claim.claim(str(job.job_id), 'worker', 'default')
        with CaptureQueriesContext(connection) as captured:
            claimed.terminate()
        return [
            query['sql'].split()[0] for query in captured if query['sql'].split()[0] not in ('SAVEPOINT', 'RELEASE')
        ]

    plain = [Part.enqueue() for _ in range(2)]
    flow = batch(Part, [{}] * 3)
    assert statements(plain[0]) == statements(plain[1]) == ['UPDATE']
    assert statements(flow.job('Part 1')) == ['UPDATE', 'UPDATE', 'SELECT']


def test_members_have_the_user_of_the_workflow_unless_they_name_another():
    one, other = User.objects.create(username='one'), User.objects.create(username='other')
    with Workflow.begin('Of one', user=one, on_complete=Callback) as flow:
        assert flow.add('a', Part).user == one
        assert flow.add('b', Part, user=other).user == other
    assert flow.user == flow.job('@on_complete').user == one


def test_members_wait_for_jobs_outside_of_the_workflow():
    first = Plain.enqueue()
    with Workflow.begin('After another') as flow:
        flow.add('a', Part, after=first)
        flow.add_many(Part, [{'value': 1}, {'value': 2}], after=['a', first.job_id])
    assert [job.pk for job in run_jobs()] == [first.pk, *flow.members.order_by('pk').values_list('job', flat=True)]


@pytest.mark.parametrize(
    ('call', 'kind', 'said'),
    [
        (lambda flow: flow.add('', Part), ValueError, 'name of a member'),
        (lambda flow: flow.add('@x', Part), ValueError, 'those of callbacks'),
        (lambda flow: flow.add('taken', Part), ValueError, "has a member named 'taken' already"),
        (lambda flow: flow.add('x', Part, after='nothing'), ValueError, "after names 'nothing'"),
        (lambda flow: flow.add('x', Part, on_failure_of=['nothing']), ValueError, "on_failure_of names 'nothing'"),
        (lambda flow: flow.add('x', Part, after=3), ValueError, 'after contains 3'),
        (lambda flow: flow.add('x', 'Part'), TypeError, 'is not what a workflow is made of'),
        (lambda flow: flow.add('x', Part, valeu=1), TypeError, "Did you mean the argument 'value'"),
        (lambda flow: flow.add('x', Part.using().call(value=1), value=2), TypeError, 'has its arguments already'),
        (lambda flow: flow.add('x', Part, interval=60), ValueError, 'takes no interval'),
        (lambda flow: flow.add('x', Part, immediate=True), ValueError, 'takes no immediate'),
        (lambda flow: flow.add_many(Part, [{}, {'cron': '0 3 * * *'}]), ValueError, 'takes no cron'),
        (lambda flow: [flow.add(name, OnePart) for name in 'xy'], ValueError, 'Meta.unique has found an equal job'),
        (lambda flow: Part.enqueue(after='x'), ValueError, "after contains 'x'"),
        (lambda flow: Part.enqueue(after=Job(pk=99)), ValueError, 'which does not exist'),
        (lambda flow: Part.enqueue(after=flow.job('taken'), immediate=True), ValueError, 'exclude each other'),
        (lambda flow: chain(Part, 'x'), TypeError, 'is not what a workflow is made of'),
    ],
)
def test_a_member_that_is_not_acceptable_is_refused_and_nothing_is_written(call, kind, said):
    with Workflow.begin('Refusing') as flow:
        flow.add('taken', Part)
    with pytest.raises(kind, match=said), Workflow.begin('Rolled back'):
        call(flow)
    assert Workflow.objects.count() == 1
    assert list(flow.members.values_list('name', flat=True)) in (['taken'], ['taken', 'x'])
    assert Job.objects.count() == flow.members.count()


@pytest.mark.parametrize(
    ('given', 'kind', 'said'),
    [
        ({'name': ''}, ValueError, 'name of a workflow'),
        ({'name': 'x', 'user': 'admin'}, ValueError, 'user is'),
        ({'name': 'x', 'deadline': timedelta(seconds=-1)}, ValueError, 'expected a moment in the future'),
        ({'name': 'x', 'deadline': datetime(2050, 1, 1)}, ValueError, 'naive'),
        ({'name': 'x', 'on_success': 'x'}, TypeError, 'is not what a workflow is made of'),
        ({'name': 'x', 'on_success': Part.using(interval=60)}, ValueError, 'takes no interval'),
    ],
)
def test_a_workflow_that_is_not_acceptable_is_refused_and_nothing_is_written(given, kind, said):
    with pytest.raises(kind, match=said), Workflow.begin(**given):
        pass
    assert not Workflow.objects.exists() and not Job.objects.exists()


def test_a_deadline_is_a_moment_or_a_length_of_time():
    moment = timezone.now() + timedelta(days=1)
    with Workflow.begin('At', deadline=moment) as at, Workflow.begin('In', deadline=timedelta(days=1)) as within:
        pass
    assert at.deadline == moment <= within.deadline


def test_workflows_and_signals_from_asynchronous_code():
    async def begin():
        flow = await chain(Part, Part.using(priority=7)).aenqueue(name='Two')
        many = await abatch(Part, [{'value': 1}, {'value': 2}], on_success=Callback)
        job = await Approved.aenqueue()
        await job.asignal('approved', 'yes')
        await arun_jobs()
        return flow, many, job

    flow, many, job = async_to_sync(begin)()
    for each in (flow, many, job):
        each.refresh_from_db()
        assert each.status == 'completed'
    assert (flow.name, job.data) == ('Two', ['yes'])

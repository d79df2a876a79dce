"""Priorities, signals, steps, workflows and limits of queues."""

import pytest

from netbox_jobs.models import AuditEntry, Job, JobSignal, QueueLimit, Workflow
from netbox_jobs.testing import run_jobs
from netbox_jobs.workflows import batch
from tests.app.flows import Callback, Part
from tests.app.jobs import Plain
from tests.app.offered import Grading
from tests.app.waiting import Approved

pytestmark = [pytest.mark.django_db, pytest.mark.once]


def test_a_call_can_name_a_priority(boss):
    address = f'/api/runners/{Grading.__module__}.{Grading.__qualname__}/'
    body = {'arguments': {'days': 1}, 'priority': 8}
    answer = boss.post(address, body, format='json')
    assert answer.status_code == 201, answer.content
    assert answer.json()['priority'] == Job.objects.get(pk=answer.json()['id']).priority == 8
    for wrong in (10, -1, '8'):
        assert boss.post(address, {**body, 'priority': wrong}, format='json').status_code == 400


def test_a_signal_is_for_those_who_may_send_it(client_of):
    job = Approved.enqueue()
    address, body = f'/api/jobs/{job.pk}/signal/', {'name': 'approved', 'payload': {'by': ['ann']}}
    stranger, reader = client_of('s', 'signal_job'), client_of('r', 'view_job')
    sender = client_of('b', 'view_job', 'signal_job')
    answers = [each.post(address, body, format='json').status_code for each in (stranger, reader, sender)]
    assert answers == [404, 403, 204]
    assert sender.post(address, {'name': ''}, format='json').status_code == 400
    run_jobs()
    job.refresh_from_db()
    assert job.data == [{'by': ['ann']}]
    assert sender.post(address, body, format='json').status_code == 409
    assert not JobSignal.objects.exists()


def test_the_owner_of_a_job_cannot_approve_it_for_that_alone(client_of):
    owner = client_of('o')
    job = Approved.enqueue(user=owner.user)
    assert owner.post(f'/api/jobs/{job.pk}/signal/', {'name': 'approved'}, format='json').status_code == 403


def test_a_job_shows_its_steps_and_their_results_to_those_who_may_see_arguments(boss, client_of):
    job = Approved.enqueue(user=(owner := client_of('o')).user)
    run_jobs()
    (step,) = boss.get(f'/api/jobs/{job.pk}/').json()['steps']
    assert (step['kind'], step['name'], step['completed']) == ('wait', 'approved', None)
    job.signal('approved', 7)
    run_jobs()
    (step,) = boss.get(f'/api/jobs/{job.pk}/').json()['steps']
    assert (step['result'], step['completed'] is not None) == ('7', True)
    assert owner.get(f'/api/jobs/{job.pk}/').json()['steps'][0]['result'] is None


def test_a_workflow_is_a_graph_that_can_be_canceled_and_retried(boss, client_of):
    with Workflow.begin('Import', on_complete=Callback) as workflow:
        workflow.add('a', Part)
        workflow.add('b', Part, after='a')
        workflow.add('c', Part, on_failure_of='b')
    address = f'/api/workflows/{workflow.pk}/'
    found = boss.get(address).json()
    assert [(each['name'], each['after'], each['on_failure_of']) for each in found['members']] == [
        ('a', [], []), ('b', ['a'], []), ('c', [], ['b']),
    ]  # fmt: skip
    assert [each['role'] for each in found['callbacks']] == ['on_complete']
    assert (found['status'], found['counts']['total']) == ('running', 3)
    assert boss.post(f'{address}retry/').status_code == 409
    assert boss.post(f'{address}cancel/').json()['counts']['canceled'] >= 1
    run_jobs()
    assert boss.post(f'{address}cancel/').status_code == 409
    assert boss.post(f'{address}retry/').json()['status'] == 'running'
    assert client_of('n').get(address).status_code == 403
    reader = client_of('r', 'view_workflow')
    assert [reader.get(address).status_code, reader.post(f'{address}cancel/').status_code] == [200, 403]
    assert boss.get('/api/workflows/999999/').status_code == 404


def test_workflows_are_listed_the_newest_first_with_their_counts(boss):
    first, last = (batch(Part, [{}] * number, name=f'of {number}') for number in (2, 3))
    page = boss.get('/api/workflows/?limit=1').json()
    assert [(each['id'], each['counts']['waiting']) for each in page['results']] == [(last.pk, 3)]
    assert boss.get(page['next']).json()['results'][0]['id'] == first.pk


def test_the_limit_of_a_queue_is_set_and_reset_and_recorded(boss, client_of):
    address = '/api/queues/low/limit/'
    assert boss.put(address, {'limit': 3}, format='json').json()['limit'] == 3
    assert QueueLimit.objects.get(name='low').most == 3
    assert boss.put(address, {'limit': None}, format='json').json()['limit'] is None
    assert boss.delete(address).json()['limit'] is None
    assert not QueueLimit.objects.exists()
    assert boss.put('/api/queues/none/limit/', {'limit': 3}, format='json').status_code == 404
    for wrong in (0, 'many', 1.5):
        assert boss.put(address, {'limit': wrong}, format='json').status_code == 400
    assert client_of('r', 'view_job').put(address, {'limit': 3}, format='json').status_code == 403
    entries = AuditEntry.objects.filter(object_type='queue', object_id='low').order_by('pk')
    assert [(entry.action, entry.face, entry.details['after']) for entry in entries] == [
        ('change', 'rest', {'most': 3}), ('change', 'rest', {'most': None}), ('change', 'rest', {}),
    ]  # fmt: skip


def test_a_job_has_its_priority(boss):
    assert boss.get(f'/api/jobs/{Plain.enqueue(priority=2).pk}/').json()['priority'] == 2

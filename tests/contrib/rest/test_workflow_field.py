"""A job of a workflow in the REST API."""

import pytest

from netbox_jobs.workflows import batch
from tests.app.flows import Callback, Part

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_member_names_its_workflow_and_a_callback_what_it_waits_for_to_users_who_may_view_all_jobs(boss, client_of):
    worker = client_of('worker')
    flow = batch(Part, [{}], on_complete=Callback, user=worker.user)
    member, callback = flow.job('Part 1'), flow.job('@on_complete')
    assert boss.get(f'/api/jobs/{member.pk}/').json()['workflow'] == flow.pk
    assert worker.get(f'/api/jobs/{member.pk}/').json()['workflow'] is None
    said = {'reason': 'workflow', 'text': f'waits for workflow {flow.pk}'}
    assert boss.get(f'/api/jobs/{callback.pk}/').json()['wait'] == said
    assert worker.get(f'/api/jobs/{callback.pk}/').json()['wait']['text'] == 'waits for its workflow'

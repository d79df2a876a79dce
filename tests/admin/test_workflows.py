"""Workflows on pages and in the terminal."""

import json

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from netbox_jobs.models import Workflow
from netbox_jobs.monitoring import workflows
from netbox_jobs.testing import run_jobs
from netbox_jobs.workflows import batch
from tests.app.flows import Callback, Part
from tests.app.jobs import Plain

pytestmark = pytest.mark.django_db(transaction=True)
LIST = '/admin/netbox_jobs/workflow/'


def page(flow, part='change'):
    return f'{LIST}{flow.pk}/{part}/'


@pytest.fixture
def flow():
    with Workflow.begin('Import <b>', on_complete=Callback) as made:
        made.add('fetch', Part, fails_at_first=True)
        made.add('count', Part, after='fetch')
        made.add('alarm', Part, on_failure_of=['fetch'])
    return made


def test_the_list_and_the_page_show_progress_graph_and_members(flow, admin_client):
    listed = admin_client.get(LIST).content.decode()
    assert 'Import &lt;b&gt;' in listed and '0 of 3' in listed
    run_jobs(raise_errors=False)
    shown = admin_client.get(page(flow)).content.decode()
    assert '3 of 3 jobs have ended' in shown and 'Retry from the failed jobs' in shown
    graph = shown.split('<svg class="nj-graph"')[1].split('</svg>')[0]
    assert graph.count('<rect') == 3 and graph.count('nj-edge') == 2 and graph.count('nj-on-failure') == 1
    assert f'/admin/netbox_jobs/job/{flow.job("fetch").pk}/change/' in graph
    assert 'style=' not in graph and 'failure of <bdi>fetch</bdi>' in shown
    member = admin_client.get(f'/admin/netbox_jobs/job/{flow.job("count").pk}/change/').content.decode()
    assert page(flow) in member
    assert 'nj-graph' in admin_client.get(page(flow, 'live')).content.decode()


def test_a_member_that_waits_names_what_it_waits_for(flow, admin_client):
    def shown(name):
        return admin_client.get(f'/admin/netbox_jobs/job/{flow.job(name).pk}/change/').content.decode()

    assert f'waits for job {flow.job("fetch").pk}' in shown('count')
    assert f'waits for job {flow.job("fetch").pk}' in shown('alarm')
    assert f'waits for workflow {flow.pk}' in shown('@on_complete')


def test_the_buttons_cancel_and_retry(flow, admin_client):
    assert admin_client.get(page(flow, 'cancel')).status_code == 405
    admin_client.post(page(flow, 'cancel'))
    flow.refresh_from_db()
    assert flow.status == 'canceled'
    admin_client.post(page(flow, 'retry'))
    run_jobs(raise_errors=False)
    flow.refresh_from_db()
    assert flow.status == 'completed'
    assert 'can be retried' in admin_client.post(page(flow, 'retry'), follow=True).content.decode()


def test_without_a_permission_there_is_no_page_no_button_and_no_link_to_jobs(flow, client):
    user = User.objects.create_user('viewer', is_staff=True)
    client.force_login(user)
    assert client.get(page(flow)).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename='view_workflow'))
    shown = client.get(page(flow)).content.decode()
    assert 'Import' in shown and '/netbox_jobs/job/' not in shown and 'Cancel the workflow' not in shown
    assert client.post(page(flow, 'cancel')).status_code == 403
    assert client.post(page(flow, 'retry')).status_code == 403


def test_a_large_batch_is_listed_in_part_with_what_has_not_completed_first(admin_client, monkeypatch):
    monkeypatch.setattr(workflows.state_of, '__defaults__', (20,))  # instead of 200
    flow = batch(Part, [{'fails': number == 25} for number in range(30)])
    run_jobs(raise_errors=False)
    with CaptureQueriesContext(connection) as captured:
        shown = admin_client.get(page(flow)).content.decode()
    assert 'Part 26' in shown and 'and 10 more' in shown and 'nj-graph"' not in shown
    assert len(captured) < 20


def test_a_job_without_a_workflow_has_no_link(admin_client):
    shown = admin_client.get(f'/admin/netbox_jobs/job/{Plain.enqueue().pk}/change/').content.decode()
    assert '/workflow/' not in shown.split('id="content-main"')[1]


def test_the_terminal_shows_cancels_and_retries(flow, capsys):
    def said(*arguments):
        call_command('jobs', 'workflow', *arguments)
        return capsys.readouterr().out

    assert 'Import <b>' in said() and '0/3' in said()
    shown = said(str(flow.pk))
    assert '0% of 3 jobs: 3 waiting' in shown and 'failure of fetch' in shown and '@on_complete' in shown
    assert json.loads(said('--json'))[0]['counts']['waiting'] == 3
    document = json.loads(said(str(flow.pk), '--json'))
    assert document['members'][1] == {
        'name': 'count',
        'job': flow.job('count').pk,
        'status': 'pending',
        'callback': None,
        'after': ['fetch'],
        'on_failure_of': [],
    }
    assert 'is canceled' in said(str(flow.pk), '--cancel', '--yes')
    assert '4 jobs are enqueued again' in said(str(flow.pk), '--retry')
    call_command('jobs', 'show', str(flow.job('count').pk))
    assert f'jobs workflow {flow.pk}' in capsys.readouterr().out
    with pytest.raises(CommandError, match='no workflow 99999'):
        said('99999')
    with pytest.raises(CommandError, match='not the ID'):
        said('x')

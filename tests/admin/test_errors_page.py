"""The page of errors: from "something failed last night" to a retry of everything that failed for one reason."""

import pytest
from django.contrib.auth.models import Permission, User

from netbox_jobs.jobs import JobRunner
from netbox_jobs.models import Job, MutedError
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = '/admin/netbox_jobs/job/errors/'


class Fragile(JobRunner):
    """Fails in one way."""

    def run(self, host, works=False):
        if not works:
            raise ValueError(f'no route to {host} <b>')


@pytest.fixture
def failed():
    """Three jobs that errored in the same way."""
    return [Fragile.enqueue(host=f'10.0.0.{number}', immediate=True) for number in range(3)]


@pytest.fixture
def viewer(client):
    """A member of the staff that may look at jobs, and nothing else."""
    user = User.objects.create_user('viewer', password='x', is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename='view_job'))
    client.force_login(user)
    return user


def test_failures_of_one_cause_are_one_row(admin_client, failed):
    page = admin_client.get(PAGE).content.decode()
    assert page.count('<th scope="row">') == 1
    assert 'ValueError: no route to 10.0.0.2 &lt;b&gt;' in page
    assert f'?error={failed[0].fingerprint}' in page


def test_the_row_leads_to_its_jobs(admin_client, failed):
    Fragile.enqueue(host='x', works=True, immediate=True)
    page = admin_client.get(f'/admin/netbox_jobs/job/?error={failed[0].fingerprint}')
    assert [job.pk for job in page.context['cl'].result_list] == [job.pk for job in reversed(failed)]


def test_all_jobs_of_a_row_are_retried_by_two_clicks(admin_client, failed, work):
    given = {'error': failed[0].fingerprint, 'action': 'retry'}
    asked = admin_client.post(f'{PAGE}act/', given)
    assert 'Retry 3 jobs?' in asked.content.decode()
    assert Job.objects.count() == 3
    answer = admin_client.post(f'{PAGE}act/', {**given, 'confirmed': '1'}, follow=True)
    acting = answer.context['job']
    assert acting.user == User.objects.get(username='admin')
    work()
    assert status(acting) == 'completed'
    assert Job.objects.exclude(retry_of=None).count() == 3


def test_a_muted_error_says_so_and_can_be_unmuted(admin_client, failed):
    for do, word in (('mute', 'Unmute'), ('unmute', 'Mute')):
        answer = admin_client.post(f'{PAGE}mute/', {'error': failed[0].fingerprint, 'do': do}, follow=True)
        assert f'?do={word.lower()}"' in answer.content.decode()
    assert not MutedError.objects.exists()


@pytest.mark.parametrize('period', ['1h', '24h', '7d', 'nonsense'])
def test_every_period_has_its_page_without_errors_too(admin_client, period):
    assert 'No job ended with an error' in admin_client.get(PAGE, {'period': period, 'queue': 'low\0'}).content.decode()


def test_who_may_only_look_can_change_nothing(client, viewer, failed):
    page = client.get(PAGE).content.decode()
    assert 'Retry' not in page
    assert 'value="mute"' not in page
    for address, given in (('act', {'action': 'retry', 'confirmed': '1'}), ('mute', {'do': 'mute'})):
        assert client.post(f'{PAGE}{address}/', {'error': failed[0].fingerprint, **given}).status_code == 403
    assert Job.objects.count() == 3
    assert not MutedError.objects.exists()


@pytest.mark.parametrize('address', ['act', 'mute'])
def test_an_error_that_no_job_has_is_not_found(admin_client, address, failed):
    assert admin_client.post(f'{PAGE}{address}/', {'error': 'unknown', 'action': 'retry'}).status_code == 404
    assert admin_client.get(f'{PAGE}{address}/').status_code == 404


def test_visitors_are_asked_to_log_in(client, failed):
    for address in (PAGE, f'{PAGE}act/', f'{PAGE}mute/'):
        assert client.post(address).status_code == 302
    assert client.get(f'{PAGE}live/').status_code == 403

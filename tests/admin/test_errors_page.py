"""The page of errors: from "something failed last night" to a retry of everything that failed for one reason."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.utils import timezone

from netbox_jobs.core.identity import process_name
from netbox_jobs.jobs import JobRunner
from netbox_jobs.maintenance import orphans, releases
from netbox_jobs.models import Job, MutedError, Worker
from netbox_jobs.monitoring import errors
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = '/admin/netbox_jobs/job/errors/'


class Fragile(JobRunner):
    """Fails in one way."""

    def run(self, host, works=False):
        if not works:
            raise ValueError(f'no route to {host} <b>')


class Other(JobRunner):
    """Fails in another way."""

    def run(self):
        raise KeyError('price')


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


def test_the_row_names_queues_and_workers(admin_client, failed):
    page = admin_client.get(PAGE).content.decode().replace('<wbr>', '')
    own = process_name()
    assert failed[0].ran_on == own and own in page
    for number, job in enumerate(failed):
        Job.objects.filter(pk=job.pk).update(ran_on=f'web-{number}.17')
    more = Fragile.enqueue(host='10.0.0.4', queue_name='low', immediate=True)
    Job.objects.filter(pk=more.pk).update(ran_on='web-2.17')
    group = errors.groups(timedelta(hours=1))[0]
    assert (group.queues, group.workers) == (['default', 'low'], ['web-2.17', 'web-0.17', 'web-1.17'])


def test_a_job_that_completes_names_no_worker():
    assert Fragile.enqueue(host='x', works=True, immediate=True).ran_on == ''


def test_the_jobs_of_a_dead_worker_name_it(failed):
    Worker.objects.create(token='t', name='web-9.1', host='web-9', pid=1, queues='default')
    job = Fragile.enqueue(host='x')
    Job.objects.filter(pk=job.pk).update(status='running', worker='t', attempt=1, started=timezone.now())
    orphans.end_orphans('t')
    job.refresh_from_db()
    assert (job.status, job.ran_on) == ('errored', 'web-9.1')


def test_errors_since_the_latest_release_have_a_tab_that_says_which_are_new(admin_client, failed, settings):
    assert 'period=release' not in admin_client.get(PAGE).content.decode()
    Job.objects.update(completed=timezone.now() - timedelta(days=2))
    for name in ('1.0', '2.0', '1.0'):  # a worker of the release before starts once more
        settings.NETBOX_JOBS = {'RELEASE': name}
        releases.record()
    assert releases.latest()[0] == '2.0'
    Fragile.enqueue(host='10.0.0.9', immediate=True)
    Other.enqueue(immediate=True)
    page = admin_client.get(f'{PAGE}?period=release')
    groups = {group.runner.rpartition('.')[2]: group for group in page.context['groups']}
    assert {name: (group.count, group.new) for name, group in groups.items()} == {
        'Fragile': (1, False),
        'Other': (1, True),
    }
    assert 'Since 2.0' in page.content.decode()
    out = StringIO()
    call_command('jobs', 'errors', '--since', 'release', '--json', stdout=out)
    assert sorted(each['new'] for each in json.loads(out.getvalue())) == [False, True]

"""Scripts of the plugin, and jobs that plan their next run, or say how they end, themselves."""

from uuid import uuid4

import pytest
from core.signals import clear_events
from django.contrib.auth import get_user_model
from django.test import RequestFactory
from django.utils import timezone
from utilities.request import copy_safe_request

from netbox_jobs.models import Job
from tests.contrib.netbox.inventory.jobs import DashboardJob, NightlyJob, ScriptJob
from tests.contrib.netbox.inventory.models import Device

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def request_():
    request = RequestFactory().post('/scripts/', {'names': 'a'})
    request.user, request.id = get_user_model().objects.create(username='u'), uuid4()
    return copy_safe_request(request)


def run(work, request, names, **options):
    job = ScriptJob.enqueue(data={'names': names}, request=request, user=request.user, job_timeout=300, **options)
    work()
    return Job.objects.get(pk=job.pk)


def test_a_script_runs_with_the_request_of_its_user(work, request_):
    job = run(work, request_, ['a', 'b'], commit=True)
    assert (job.status, job.data['output'], Device.objects.count()) == ('completed', '2 by u', 2)
    assert [entry['message'] for entry in job.log_entries] == [
        f'Request ID: {request_.id}',
        'Executing script (commit enabled)',
        'Running script (commit=True)',
    ]


def test_a_script_that_is_not_to_commit_leaves_nothing_and_tells_it(work, request_):
    told = []
    clear_events.connect(receiver := lambda sender, **kwargs: told.append(sender.id))
    job = run(work, request_, ['a'], commit=False)
    clear_events.disconnect(receiver)
    assert (job.status, Device.objects.count(), told) == ('completed', 0, [request_.id])
    assert job.data['log'][-1]['message'] == 'Database changes have been reverted automatically.'


@pytest.mark.parametrize(('name', 'error'), [('', 'A name is empty'), ('odd', 'odd')])
def test_a_script_that_raises_is_errored_and_keeps_its_log(work, request_, name, error):
    job = run(work, request_, ['a', name], commit=True)
    assert (job.status, Device.objects.count()) == ('errored', 0)
    assert error in job.error and job.data['log'][-1]['message'].startswith('Database changes have been reverted')


def test_a_job_plans_its_next_run_itself_until_it_is_not_wanted(work):
    device = Device.objects.create(name='a')
    NightlyJob.enqueue_once(instance=device, device_id=device.pk)
    work()
    (waiting,) = NightlyJob.get_jobs(device).waiting()
    assert (timezone.localtime(waiting.scheduled).hour, waiting.interval) == (2, None)
    Device.objects.update(status='retired')
    waiting.schedule.run_now()
    work()
    assert not NightlyJob.get_jobs(device).waiting().exists()
    assert list(NightlyJob.get_jobs(device).values_list('status', flat=True)) == ['completed', 'completed']


def test_a_job_that_sets_its_status_and_returns_is_completed_as_in_netbox(work):
    job = DashboardJob.enqueue(instance=Device.objects.create(name='a', status='unmanaged'))
    work()
    job = Job.objects.get(pk=job.pk)
    assert (job.status, job.data) == ('completed', {'error': 'It is not managed'})


@pytest.mark.parametrize('now', [True, False])
def test_an_error_of_the_runner_is_kept_and_the_chain_goes_on(work, now):
    job = DashboardJob.launch_manual(now)
    chained = DashboardJob.keep_going()
    work()
    for each in (job, chained):
        each = Job.objects.get(pk=each.pk)
        assert (each.status, each.data) == ('errored', {'devices': 0})
        assert 'No devices' in each.error
    assert DashboardJob.get_jobs().waiting().get().interval == 2

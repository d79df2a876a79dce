"""Views that run as jobs, and the table of jobs on a page."""

import logging
import re
import uuid
from contextlib import contextmanager

import pytest
from django.contrib.auth import get_user_model
from django.contrib.messages import get_messages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import Http404
from django.test import RequestFactory
from netbox.context import current_request, events_queue
from netbox.jobs import AsyncViewJob
from netbox.registry import registry
from utilities.jobs import AsyncJobData
from utilities.request import NetBoxFakeRequest, apply_request_processors, copy_safe_request

from netbox_jobs.models import Job
from tests.contrib.netbox.inventory.jobs import SyncDeviceJob
from tests.contrib.netbox.inventory.models import Device

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def user(client):
    found = get_user_model().objects.create_superuser('u', 'u@example.org', 'x')
    client.force_login(found)
    return found


def rename(client, devices, **more):
    return client.post('/devices/rename/', {'pk': [each.pk for each in devices], 'prefix': 'old-', **more})


def test_a_view_runs_as_a_job_with_a_copy_of_its_request(client, user, work):
    device = Device.objects.create(name='switch')
    response = rename(client, [device], background_job='1')
    assert response.status_code == 202
    job = Job.objects.get(pk=int(response.content))
    assert (job.name, job.user) == ('Rename devices', user)
    (message,) = get_messages(response.wsgi_request)
    assert f'<a href="{job.get_absolute_url()}">Rename devices</a>' in str(message)
    device.refresh_from_db()
    assert device.name == 'switch'

    work()
    job, device = Job.objects.get(pk=job.pk), Device.objects.get(pk=device.pk)
    assert (job.status, device.name) == ('completed', 'old-switch')
    assert [entry['message'] for entry in job.log_entries] == ['Renamed old-switch for u']


def test_the_view_runs_at_once_where_no_job_was_asked_for(client, user):
    assert rename(client, [Device.objects.create(name='switch')]).content == b'1 renamed'


def test_a_view_that_sets_the_error_of_its_job_fails_it(client, user, work):
    response = rename(client, [], background_job='1')
    work()
    job = Job.objects.get(pk=int(response.content))
    assert (job.status, job.error) == ('failed', 'No devices')


class OlderView:
    @classmethod
    def as_view(cls):
        return lambda request: AsyncJobData(log=['Created a'], errors=[])


def test_what_a_view_of_an_older_plugin_returns_is_the_data_of_the_job():
    job = AsyncViewJob.enqueue(immediate=True, view_cls=OlderView, request=NetBoxFakeRequest({}))
    assert job.data == {'log': ['Created a'], 'errors': []}


def test_no_password_is_in_the_copy_of_a_request(user, settings):
    factory = RequestFactory(headers={'Authorization': 'Token secret', 'X-Other': 'kept'}, SERVER_NAME='here.example')
    for name, value in ((settings.SESSION_COOKIE_NAME, 'secret'), (settings.CSRF_COOKIE_NAME, 'secret'), ('site', 'a')):
        factory.cookies[name] = value
    request = factory.post('/devices/?q=1', {'name': 'a'})
    request.user, request.id = user, 'an id'
    request.FILES['file'] = SimpleUploadedFile('a.csv', b'content')
    copy = copy_safe_request(request)
    assert 'secret' not in repr(vars(copy))
    assert copy.COOKIES == {'site': 'a'}
    assert (copy.META['HTTP_X_OTHER'], copy.META['SERVER_NAME']) == ('kept', 'here.example')
    assert 'wsgi.input' not in copy.META
    assert (copy.method, copy.path, copy.user, copy.id, copy.GET['q'], copy.POST['name']) == (
        'POST',
        '/devices/',
        user,
        'an id',
        '1',
        'a',
    )
    assert copy.FILES['file'].read() == b'content'
    assert not copy_safe_request(request, include_files=False).FILES
    assert repr(copy) == '<NetBoxFakeRequest POST /devices/>'
    assert repr(NetBoxFakeRequest({})) == '<NetBoxFakeRequest>'


def test_request_processors_surround_what_is_done_and_one_that_fails_is_logged(caplog):
    seen = []

    @contextmanager
    def processor(request):
        seen.append(request)
        yield
        seen.append('end')

    def failing(request):
        raise RuntimeError('no branch')

    registry['request_processors'].extend([failing, processor])
    try:
        with caplog.at_level(logging.WARNING), apply_request_processors('a request'):
            assert current_request.get() == 'a request'
            assert events_queue.get() == {}
            seen.append('work')
    finally:
        del registry['request_processors'][-2:]
    assert current_request.get() is None
    assert seen == ['a request', 'work', 'end']
    assert 'no branch' in caplog.text


def test_a_page_of_the_plugin_shows_a_table_of_jobs(client, user, work):
    device = Device.objects.create(name='switch <b>')
    job = SyncDeviceJob.enqueue_sync(device, user=user)
    SyncDeviceJob.enqueue(instance=device, interval=60, params={'endpoint': 'x'})
    work()
    html = client.get(f'/devices/{device.pk}/jobs/').content.decode()
    assert job.get_absolute_url() in html
    assert f'<a href="/devices/{device.pk}/">switch &lt;b&gt;</a>' in html
    assert '<span class="badge text-bg-green">Completed</span>' in html
    assert len(re.findall('<th[ >]', html)) == 9
    assert 'Log entries' not in html


def test_a_plugin_chooses_the_columns_of_its_table(client, user):
    from core.tables.jobs import JobTable

    class Short(JobTable):
        class Meta(JobTable.Meta):
            fields = ('id', 'status', 'interval', 'execution_time', 'log_entries')
            default_columns = ('status', 'interval', 'log_entries')

    job = SyncDeviceJob.enqueue_once(Device.objects.create(name='x'), interval=90, params={'endpoint': 'x'})
    table = Short(Job.objects.filter(pk=job.pk))
    (row,) = table.rows
    assert {column.name: row.get_cell(column.name) for column in table.columns} == {
        'status': '<span class="badge text-bg-cyan">Pending</span>',
        'interval': '1 h 30 min',
        'log_entries': 0,
    }


def test_a_page_of_the_plugin_lists_the_jobs_that_its_user_may_act_on():
    owner, other, admin = (get_user_model().objects.create(username=name, is_superuser=name == 'a') for name in 'uva')
    device = Device.objects.create(name='switch')
    job = SyncDeviceJob.enqueue_sync(device, user=owner)
    for jobs in (Job.objects, Job.objects.filter(name=job.name), device.jobs):
        assert list(jobs.restrict(owner, 'view')) == [job]
        assert not jobs.restrict(owner, 'delete').exists()
        assert not jobs.restrict(other).exists()
        assert list(jobs.restrict(admin, 'delete')) == [job]


def test_a_page_of_the_plugin_stops_a_job_by_its_id():
    from core.utils import stop_rq_job

    job = SyncDeviceJob.enqueue_sync(Device.objects.create(name='switch'))
    assert stop_rq_job(str(job.job_id)) == [str(job.job_id)]
    assert Job.objects.get(pk=job.pk).status == 'canceled'
    assert stop_rq_job(str(job.job_id)) == []
    for unknown in (str(uuid.uuid4()), 'no id'):
        with pytest.raises(Http404, match=unknown):
            stop_rq_job(unknown)

"""The search of the REST API: arguments only for those who may see them."""

import pytest

from netbox_jobs.models import Job
from tests.app.models import Thing

pytestmark = pytest.mark.django_db


def ids(response):
    assert response.status_code == 200, response.content
    return [each['id'] for each in response.json()['results']]


def test_q_finds_errors_and_objects_and_arguments_by_permission(client_of):
    owner, reader = client_of('owner'), client_of('reader', 'view_job')
    values = {'name': 'hay', 'status': 'errored', 'user': owner.user, 'error': 'gone', 'arguments_shown': 'pages=3'}
    job = Job.objects.create(object=Thing.objects.create(name='Berlin'), **values)
    Job.objects.create(**{**values, 'error': '', 'arguments_shown': ''})
    for client in (owner, reader):
        assert ids(client.get('/api/jobs/', {'q': 'error:gone'})) == [job.pk]
        assert ids(client.get('/api/jobs/', {'q': 'object:berlin'})) == [job.pk]
    assert ids(reader.get('/api/jobs/', {'q': 'argument:pages=3'})) == [job.pk]
    assert ids(owner.get('/api/jobs/', {'q': 'argument:pages=3'})) == []

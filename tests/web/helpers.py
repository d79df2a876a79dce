"""Users, addresses and jobs of the tests of fragments."""

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connections
from django.template import Context, Template
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from netbox_jobs.models import Job, database
from tests.app.jobs import Plain

POLLED, POSTED = ('status', 'progress', 'log'), ('stop', 'retry')


TAGS = '{% load netbox_jobs %}{% job_status job %}|{% job_progress job %}|{% job_log job %}|{% object_jobs thing %}'


def user(name, *codenames, **kwargs):
    made = get_user_model().objects.create_user(name, **kwargs)
    made.user_permissions.set(Permission.objects.filter(content_type__app_label='netbox_jobs', codename__in=codenames))
    return made


def client_of(viewer):
    client = Client()
    if viewer is not None:
        client.force_login(viewer)
    return client


def url(name, job):
    return reverse(f'netbox_jobs:{name}', args=[getattr(job, 'pk', job)])


def url_of_objects(thing, **query):
    object_type = Plain.enqueue(instance=thing).object_type_id
    parts = {'type': object_type, 'id': str(thing.pk), 'db': '', **query}
    return reverse('netbox_jobs:objects') + '?' + '&'.join(f'{key}={value}' for key, value in parts.items())


def make_running(job, **values):
    values = {'status': 'running', 'worker': 'w', 'started': timezone.now(), 'attempt': 1, **values}
    Job.objects.filter(pk=job.pk).update(**values)
    job.refresh_from_db()
    return job


def render(text, viewer, **context):
    request = RequestFactory().get('/')
    request.user = viewer
    return Template(text).render(Context({'request': request, **context}))


# What it costs


def queries(ask):
    using = database()
    with CaptureQueriesContext(connections[using]) as captured:
        ask()
    return [query['sql'] for query in captured]

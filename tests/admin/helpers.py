"""Users, addresses and jobs of the tests of the admin's pages."""

from datetime import timedelta

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from netbox_jobs.models import Job


def user(*permissions, name='someone', staff=True):
    found, _ = get_user_model().objects.get_or_create(username=name, is_staff=staff)
    found.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return found


def client(*permissions, **kwargs):
    browser = Client(enforce_csrf_checks=kwargs.pop('csrf', False))
    browser.force_login(user(*permissions, **kwargs))
    return browser


def url(name, *args):
    return reverse(f'admin:netbox_jobs_{name}', args=args)


def make(status='completed', **values):
    now = timezone.now()
    if status in ('completed', 'failed', 'errored', 'canceled'):
        values = {'started': now, 'completed': now, 'execution_time': timedelta(seconds=2), 'attempt': 1, **values}
    values.setdefault('name', 'Job of a test')
    values.setdefault('runner', 'tests.app.jobs.Plain')
    values.setdefault('queue_name', 'default')
    return Job.objects.create(status=status, due=1, **values)


def body(response):
    return (b''.join(response.streaming_content) if response.streaming else response.content).decode()

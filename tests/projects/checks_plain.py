"""What must hold in a project without Django's admin, sessions and messages."""

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.template import engines
from django.test import RequestFactory

from tests.app.jobs import Plain
from tests.app.models import Thing
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_system_checks_pass():
    assert not apps.is_installed('django.contrib.admin')
    call_command('check', fail_level='WARNING')


def test_jobs_run_and_have_no_page_in_the_admin(work):
    job = Plain.enqueue()
    work()
    assert (status(job), job.get_absolute_url()) == ('completed', '')


def test_pages_have_the_tags():
    request = RequestFactory().get('/')
    request.user = get_user_model().objects.create_superuser('u')
    thing = Thing.objects.create()
    context = {'thing': thing, 'job': Plain.enqueue(instance=thing)}
    tags = '{% load netbox_jobs %}{% job_status job %}{% job_progress job %}{% job_log job %}{% object_jobs thing %}'
    assert 'Pending' in engines['django'].from_string(tags).render(context, request)

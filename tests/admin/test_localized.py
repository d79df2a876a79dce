"""Numbers that the pages format for people do not get into addresses, identifiers and fields."""

import re

import pytest
from django.urls import reverse

from netbox_jobs.models import Job, JobLogEntry, Schedule, Worker
from tests.app.jobs import Plain
from tests.app.models import Thing

pytestmark = [pytest.mark.django_db, pytest.mark.once]
PAGES = ('job/', 'job/1234567/change/', 'job/overview/', 'schedule/', 'schedule/7654321/change/', 'job/errors/')
TEXT = re.compile(r'[^\W\d_]{3}.*\s')  # words for people
ATTRIBUTES = re.compile(r'(?:href|src|action|id|value|name|for|data-[a-z-]+|aria-[a-z]+)="([^"]*)"')


@pytest.mark.parametrize('language', ['en', 'de', 'fr'])
def test_primary_keys_in_attributes_have_no_separators(settings, admin_client, language):
    settings.USE_THOUSAND_SEPARATOR, settings.LANGUAGE_CODE = True, language
    job = Plain.enqueue(instance=Thing.objects.create(pk=1234567))
    Job.objects.filter(pk=job.pk).update(id=1234567)
    Schedule.objects.create(pk=7654321, key='x', runner='x', name='x', queue_name='default', interval=1234)
    JobLogEntry.objects.create(pk=1234567, job_id=1234567, level='info', message='x')
    Worker.objects.create(pk=1234567, token='x', name='x', host='x', pid=1, queues='default')
    seen = ''
    for page in PAGES:
        answer = admin_client.get(f'/admin/netbox_jobs/{page}')
        assert answer.status_code == 200, page
        seen += answer.content.decode()
    confirm = {'action': 'cancel', '_selected_action': ['1234567']}
    seen += admin_client.post(reverse('admin:netbox_jobs_job_bulk'), confirm, follow=True).content.decode()
    assert 'name="job" value="1234567"' in seen
    values = ATTRIBUTES.findall(seen)
    assert [value for value in values if re.search(r'\d[.,\s]\d{3}\b', value) and not TEXT.search(value)] == []
    assert {'2000', '15000'} & set(re.findall(r'data-live-every="([^"]*)"', seen))

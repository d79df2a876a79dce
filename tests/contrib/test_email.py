"""The email at the end of a job."""

import pytest
from django.contrib.auth import get_user_model
from django.core import mail

from netbox_jobs.models import Job
from tests.app.jobs import Failing, Plain
from tests.app.models import Thing

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]


def test_the_email_goes_to_the_jobs_user(settings, work):
    settings.NETBOX_JOBS = {'NOTIFY': 'netbox_jobs.contrib.email.notify'}
    user = get_user_model().objects.create(username='u', email='u@example.org')
    thing = Thing.objects.create(name='the thing')
    Failing.enqueue(user=user, name='Two\nlines\x07', instance=thing, message='because')
    Plain.enqueue()
    Plain.enqueue(user=get_user_model().objects.create(username='v'))
    work()
    assert len(mail.outbox) == 1
    message = mail.outbox[0]
    assert (message.to, message.subject) == (['u@example.org'], 'Two lines\u2407: Failed')
    job = Job.objects.get(user_id=user.pk)
    assert message.body.startswith(f'Job {job.pk} "Two\nlines\u2407" ended as failed.\nObject: the thing\nRun time: ')
    assert 'because' in message.body

"""Mail at the end of a job."""

import pytest
from django.contrib.auth import get_user_model
from django.core import mail

from tests.app.jobs import Failing, Plain
from tests.app.models import Thing

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_mail_hook_writes_to_the_jobs_user(settings, work):
    settings.NETBOX_JOBS = {'NOTIFY': 'netbox_jobs.contrib.email.notify'}
    user = get_user_model().objects.create(username='u', email='u@example.org')
    Failing.enqueue(user=user, name='Two\nlines', instance=Thing.objects.create(name='the thing'), message='because')
    Plain.enqueue()
    Plain.enqueue(user=get_user_model().objects.create(username='v'))
    work()
    assert len(mail.outbox) == 1
    message = mail.outbox[0]
    assert (message.to, message.subject) == (['u@example.org'], 'Two lines: Failed')
    assert 'the thing' in message.body and 'because' in message.body

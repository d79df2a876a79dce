"""Every column that someone changes by hand: the worker goes on, and runs no job with other code or arguments."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from cryptography.fernet import Fernet
from django.db import models

from netbox_jobs.exceptions import ArgumentsRefused
from netbox_jobs.lifecycle import steps
from netbox_jobs.models import Job, JobStep, Schedule
from tests.app.jobs import Plain
from tests.processes import status
from tests.security.runners import Encrypted

# What the code makes of a value is the same whichever database has stored it.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once, pytest.mark.chaos]

#: What `run()` was called with in the jobs that ran: `Plain` copies its arguments to its data.
OWN = {'word': 'own'}
COLUMNS = [field.attname for field in Job._meta.concrete_fields if not field.primary_key]
OF_SCHEDULES = [field.attname for field in Schedule._meta.concrete_fields if not field.primary_key]


def hostile(field):
    """Return a value that the column can hold, and that nothing of ours has written."""
    if field.attname in ('user_id', 'object_type_id'):
        return None if field.attname == 'object_type_id' else 10**6
    by_type = {
        models.JSONField: {'on': ['os.system'], 'job_timeout': 'x', 'tests.app.contexts.Language': ['de']},
        models.UUIDField: UUID(int=7),
        models.BooleanField: True,
        models.DateTimeField: datetime(1999, 1, 1, tzinfo=UTC),
        models.DurationField: timedelta(days=9),
        models.BinaryField: b'\x80\x05evil',
        models.TextField: "x' OR 1=1 -- \x1b[31m<script>",
    }
    for kind, value in by_type.items():
        if isinstance(field, kind):
            return value
    if isinstance(field, models.CharField):
        return 'os.system'[: field.max_length]
    return 30_000


@pytest.mark.parametrize('column', COLUMNS)
def test_a_column_of_a_job_that_is_changed_by_hand_runs_nothing_else(work, admin_client, column):
    job, other = Plain.enqueue(word='own'), Plain.enqueue(word='other')
    field = next(field for field in Job._meta.concrete_fields if field.attname == column)
    Job.objects.filter(pk=job.pk).update(**{column: hostile(field)})
    work()
    assert Job.objects.get(pk=other.pk).data == {'word': 'other'}
    job = Job.objects.get(pk=job.pk)
    ran = job.attempt > 0 and job.status == 'completed' and column != 'status'
    if ran and column not in ('data', 'attempt'):
        assert job.data == OWN
    assert Plain.enqueue(word='own', immediate=True).data == OWN
    for address in ('', f'{job.pk}/change/', 'overview/', 'errors/'):
        page = admin_client.get(f'/admin/netbox_jobs/job/{address}')
        assert page.status_code == 200 and b'<script>x' not in page.content and b'\x1b' not in page.content


@pytest.mark.parametrize('column', OF_SCHEDULES)
def test_a_column_of_a_schedule_that_is_changed_by_hand_runs_nothing_else(work, admin_client, column):
    job = Plain.enqueue_once(word='own', interval=5)
    field = next(field for field in Schedule._meta.concrete_fields if field.attname == column)
    Schedule.objects.filter(pk=job.schedule_id).update(**{column: hostile(field)})
    work()
    job.refresh_from_db()
    assert status(job) in ('completed', 'scheduled', 'pending') and job.data in (OWN, None)
    for following in Job.objects.filter(predecessor=job):
        assert following.runner == 'tests.app.jobs.Plain' and following.get_arguments() == OWN
    for address in ('', f'{job.schedule_id}/change/'):
        assert admin_client.get(f'/admin/netbox_jobs/schedule/{address}').status_code == 200


@pytest.mark.parametrize('what', ['changed', 'of another step', 'of another job'])
def test_the_result_of_a_step_that_is_changed_or_replayed_is_refused(settings, work, what):
    settings.NETBOX_JOBS = {'ENCRYPTION_KEYS': [Fernet.generate_key().decode()]}
    job, other = Encrypted.enqueue(word='own', fail=True), Encrypted.enqueue(word='other', fail=True)
    work()
    mine, theirs = JobStep.objects.get(job=job.pk), JobStep.objects.get(job=other.pk)
    signed = {name: getattr(theirs, name) for name in ('result', 'result_format', 'result_signature')}
    changes = {'changed': {'result': b'evil'}, 'of another job': signed}
    if what == 'of another step':
        JobStep.objects.filter(pk=mine.pk).update(name='two')
    else:
        JobStep.objects.filter(pk=mine.pk).update(**changes[what])
    job.refresh_from_db()
    with pytest.raises(ArgumentsRefused):
        steps.result_of(job, JobStep.objects.get(pk=mine.pk))

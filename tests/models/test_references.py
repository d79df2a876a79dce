"""What a job refers to may be gone: the job tells so, and never raises."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db.models.fields.related import ForeignKey
from django.utils import timezone

from netbox_jobs.lifecycle import claim
from netbox_jobs.maintenance import retention
from netbox_jobs.models import Job
from tests.app.jobs import Plain
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_job_whose_schedule_has_ended_can_be_shown_and_has_no_schedule(capsys, admin_client):
    job = Plain.enqueue_once(interval=5)
    held = claim.claim(str(job.job_id), 'one', 'default')
    Plain.end_schedule()
    held.terminate()
    job = Job.objects.get(pk=job.pk)
    assert job.schedule_id is not None
    assert job.schedule is None
    assert Job.objects.select_related('schedule').get(pk=job.pk).schedule is None
    call_command('jobs', 'show', str(job.pk))
    assert str(job.job_id) in capsys.readouterr().out
    page = admin_client.get(job.get_absolute_url())
    assert page.status_code == 200
    assert f'/schedule/{job.schedule_id}/' not in page.content.decode()


def test_references_to_jobs_that_retention_has_deleted_are_none():
    first = Plain.enqueue_once(interval=5)
    claim.claim(str(first.job_id), 'one', 'default').terminate()
    again = Job.objects.get(pk=first.pk).retry()
    old = timezone.now() - timedelta(days=100)
    Job.objects.filter(pk=first.pk).update(completed=old, created=old)
    assert retention.prune() == 1
    following = Job.objects.exclude(pk=again.pk).get()
    assert (following.predecessor_id, Job.objects.get(pk=again.pk).retry_of_id) == (first.pk, first.pk)
    assert (following.predecessor, Job.objects.get(pk=again.pk).retry_of) == (None, None)
    call_command('jobs', 'show', str(again.pk))
    for job in Job.objects.prefetch_related('predecessor', 'retry_of', 'schedule'):
        assert job.predecessor is None


def test_no_reference_of_a_job_that_lacks_a_constraint_raises():
    job = Plain.enqueue()
    loose = [
        field.name for field in Job._meta.concrete_fields if isinstance(field, ForeignKey) and not field.db_constraint
    ]
    assert set(loose) == {'schedule', 'predecessor', 'retry_of', 'user', 'workflow'}
    Job.objects.filter(pk=job.pk).update(**{f'{name}_id': 999_999_999 for name in loose})
    job = Job.objects.get(pk=job.pk)
    assert [getattr(job, name) for name in loose] == [None] * 5
    assert status(job) == 'pending'

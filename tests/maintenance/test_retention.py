"""Retention: what it deletes with a job, and what it looks at."""

from datetime import timedelta

import pytest
from django.utils import timezone

from netbox_jobs.maintenance import retention
from netbox_jobs.models import Job, JobAttempt, JobLogEntry, Progress
from tests.app.jobs import Plain
from tests.app.models import Report

pytestmark = pytest.mark.django_db(transaction=True)


# Retention


def test_retention_sweeps_what_was_written_about_jobs_that_are_gone(monkeypatch):
    monkeypatch.setattr(retention, '_SWEPT', 4)
    old = timezone.now() - timedelta(days=100)
    kept = Plain.enqueue()
    for number in range(6):
        JobLogEntry.objects.create(job_id=1_000_000 + number, level='info', message='late', timestamp=old)
        JobLogEntry.objects.create(job_id=kept.pk, level='info', message='kept', timestamp=old)
    JobAttempt.objects.create(job_id=1_000_000, number=1, ended=old)
    Progress.objects.create(job_id=1_000_000, updated=old)
    assert retention.prune() == 0
    assert set(JobLogEntry.objects.values_list('job_id', flat=True)) == {kept.pk}
    assert JobLogEntry.objects.count() == 6
    assert not JobAttempt.objects.exists()
    assert not Progress.objects.exists()


def test_retention_does_what_the_foreign_keys_of_others_want():
    unset, cascaded, protected, many, known, needed = (Plain.enqueue() for _ in range(6))
    kept = Report.objects.create(job=unset)
    Report.objects.create(made_by=cascaded)
    proof = Report.objects.create(proof=protected)
    kept.jobs.set([many])
    Report.objects.create(known_as=known)
    last = Report.objects.create(based_on=Report.objects.create(made_by=needed))
    old = timezone.now() - timedelta(days=100)
    Job.objects.update(status='completed', completed=old, created=old)
    assert retention.prune() == 4
    assert set(Job.objects.all()) == {protected, needed}
    assert list(Report.objects.order_by('pk').values_list('pk', 'job', 'jobs')) == [
        (kept.pk, None, None),
        (proof.pk, None, None),
        (last.based_on_id, None, None),
        (last.pk, None, None),
    ]


def test_retention_does_not_look_beyond_what_is_old_to_sweep(monkeypatch, django_assert_max_num_queries):
    monkeypatch.setattr(retention, '_SWEPT', 4)
    kept = Plain.enqueue()
    for _ in range(40):
        JobLogEntry.objects.create(job_id=kept.pk, level='info', message='new')
    with django_assert_max_num_queries(10):
        retention.prune()

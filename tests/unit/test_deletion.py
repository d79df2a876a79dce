"""Deleting means it, canceling skips one, retention keeps what matters: P7, decision 13."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from netbox_jobs import delivery, recovery
from netbox_jobs.models import Job, JobLogEntry
from tests.app.jobs import Plain, Talking
from tests.app.models import Thing, Trace
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)


def test_p7_no_deleted_row_comes_back(caplog):
    job = Plain.enqueue(interval=10)
    copy = Job.objects.get(pk=job.pk)
    job.start()
    Job.objects.get(pk=job.pk).delete()
    job.save()
    job.terminate()
    with pytest.raises(Job.DoesNotExist):
        copy.save()
    assert not Job.objects.exists()
    assert 'its row has been deleted' in caplog.text


def test_p7_deleting_a_waiting_job_takes_it_out_of_rq_after_the_commit(work):
    job = Talking.enqueue()
    with transaction.atomic():
        job.delete()
        assert delivery.queue('default').job_ids != []
    assert delivery.queue('default').job_ids == []
    work()
    assert not JobLogEntry.objects.exists()


def test_p7_a_rolled_back_deletion_leaves_everything_as_it_was(work):
    job = Plain.enqueue(interval=10)
    with transaction.atomic():
        Job.objects.all().delete()
        transaction.set_rollback(True)
    work()
    assert status(job) == 'completed'
    assert Plain.get_jobs().count() == 2


def test_p7_deleting_the_object_cancels_its_jobs(work):
    thing = Thing.objects.create()
    Plain.enqueue(instance=thing)
    thing.delete()
    work()
    assert not Job.objects.exists()
    assert not Trace.objects.exists()


def test_deleting_what_others_wait_for_is_their_error():
    first = Plain.enqueue()
    second = Plain.enqueue(depends_on=first)
    Job.objects.get(pk=first.pk).delete()
    assert status(second) == 'errored'
    assert 'was deleted before it had ended' in second.error


def test_retention_deletes_old_ended_jobs_and_nothing_else(settings):
    old = timezone.now() - timedelta(days=100)
    ended, fresh, waiting, running = (Talking.enqueue(immediate=True), Plain.enqueue(immediate=True), Plain.enqueue(),
                                      Plain.enqueue())  # fmt: skip
    running.start()
    Job.objects.exclude(pk=fresh.pk).update(created=old)
    Job.objects.filter(pk=ended.pk).update(completed=old)
    settings.JOB_RETENTION = 0
    assert recovery.prune() == 0
    settings.JOB_RETENTION = 90
    assert recovery.prune() == 1
    assert set(Job.objects.values_list('pk', flat=True)) == {fresh.pk, waiting.pk, running.pk}
    assert not JobLogEntry.objects.filter(job_id=ended.pk).exists()

"""Deleting means it, canceling skips one, retention keeps what matters: P7, decision 13."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.test import override_settings
from django.utils import timezone

from netbox_jobs.broker import delivery
from netbox_jobs.jobs import JobRunner
from netbox_jobs.maintenance import recovery, retention
from netbox_jobs.models import Job, JobLogEntry, Schedule
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
    assert retention.prune() == 0
    settings.JOB_RETENTION = 90
    assert retention.prune() == 1
    assert set(Job.objects.values_list('pk', flat=True)) == {fresh.pk, waiting.pk, running.pk}
    assert not JobLogEntry.objects.filter(job_id=ended.pk).exists()


def test_p7_a_run_may_delete_its_own_job(caplog):
    class Vanishing(JobRunner):
        def run(self):
            self.job.delete()

    Vanishing.enqueue(immediate=True, interval=10)
    assert not Job.objects.exists()
    assert not Schedule.objects.exists()


def test_p7_deleting_a_scheduled_job_ends_its_chain(work):
    job = Plain.enqueue(interval=10)
    work()
    Job.objects.get(predecessor=job).delete()
    assert [j.pk for j in Plain.get_jobs()] == [job.pk]
    assert not Schedule.objects.exists()
    assert recovery.deliver_due() == 0


def test_deleting_an_ended_job_leaves_the_chain_alone(work):
    job = Plain.enqueue(interval=10)
    work()
    job.refresh_from_db()
    job.delete()
    assert Plain.get_jobs().waiting().count() == 1
    assert Schedule.objects.count() == 1


def test_deleting_a_query_of_jobs_withdraws_each(work):
    for _ in range(3):
        Plain.enqueue(queue_name='low')
    kept = Plain.enqueue()
    Job.objects.filter(queue_name='low').delete()
    assert delivery.queue('low').job_ids == []
    work()
    assert status(kept) == 'completed'
    assert Trace.objects.filter(what='start').count() == 1


def test_p7_a_deletion_with_redis_down_is_a_deletion(caplog):
    job = Plain.enqueue()
    with override_settings(RQ_QUEUES={'default': {'HOST': '127.0.0.1', 'PORT': 1, 'DB': 0}}):
        job.delete()
    assert not Job.objects.exists()
    assert 'could not be withdrawn' in caplog.text or caplog.text == ''


def test_p7_what_was_withdrawn_in_vain_does_not_run(work):
    """The delivery is still in RQ; its row is gone."""
    job = Plain.enqueue()
    Job.objects.filter(pk=job.pk)._raw_delete('default')
    assert delivery.queue('default').job_ids == [str(job.job_id)]
    work()
    assert not Trace.objects.exists()
    assert not Job.objects.exists()


def test_p7_a_canceled_job_does_not_run(work):
    job = Plain.enqueue()
    job.terminate('canceled', error='not needed any more')
    work()
    assert (status(job), job.error) == ('canceled', 'not needed any more')
    assert not Trace.objects.exists()


def test_p7_a_cancellation_that_is_rolled_back_leaves_the_job_to_run(work):
    job = Plain.enqueue()
    with transaction.atomic():
        Job.objects.get(pk=job.pk).terminate('canceled')
        transaction.set_rollback(True)
    work()
    assert status(job) == 'completed'


def test_deleting_the_object_ends_what_enqueue_once_keeps_scheduled(work):
    thing = Thing.objects.create()
    Plain.enqueue_once(instance=thing, interval=10)
    work()
    thing.delete()
    assert not Job.objects.exists()
    assert not Schedule.objects.exists()


def test_deleting_the_object_forgets_a_schedule_that_has_run_once(work):
    thing = Thing.objects.create()
    Plain.enqueue_once(instance=thing)
    work()
    assert Schedule.objects.exists()
    thing.delete()
    assert not Schedule.objects.exists()


def test_what_depends_on_a_deleted_job_is_errored_also_if_that_was_loaded_before():
    job = Plain.enqueue(schedule_at=timezone.now() + timedelta(hours=1))
    dependent = Plain.enqueue(depends_on=job)
    job.delete()  # an object that has not been told of its dependents
    dependent.refresh_from_db()
    assert dependent.status == 'errored'
    assert 'which was deleted before it had ended' in dependent.error

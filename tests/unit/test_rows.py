"""What may be written to a job's row, by whom, and what cannot bring it back: P3, P7, decisions 6 and 7."""

import math

import pytest
from django.db import transaction

from netbox_jobs import delivery, recovery
from netbox_jobs.exceptions import AlreadyClaimed
from netbox_jobs.jobs import JobRunner
from netbox_jobs.models import Job, JobLogEntry
from netbox_jobs.signals import job_end, job_start
from tests.app.jobs import Plain, Talking
from tests.app.models import Thing, Trace
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)


def test_p2_a_claim_is_won_once():
    job = Plain.enqueue()
    job.start()
    with pytest.raises(AlreadyClaimed):
        Job.objects.get(pk=job.pk).start()
    with pytest.raises(AlreadyClaimed):
        Plain.handle(Job.objects.get(pk=job.pk))
    assert status(job) == 'running'
    assert not Trace.objects.exists()


def test_p3_a_stale_worker_changes_nothing(caplog):
    job = Plain.enqueue(interval=10)
    job.start()
    recovery.end_orphan(Job.objects.get(pk=job.pk), 'declared dead')
    job.data = {'late': True}
    job.save()
    job.terminate()
    found = Job.objects.get(pk=job.pk)
    assert (found.status, found.error, found.data) == ('errored', 'declared dead', None)
    assert Plain.get_jobs().count() == 2
    assert 'was not recorded: it is errored already' in caplog.text


def test_terminate_by_somebody_without_the_claim_takes_it_over():
    job = Plain.enqueue()
    job.start()
    Job.objects.get(pk=job.pk).terminate('failed', error='enough')
    job.terminate()
    assert (status(job), job.error) == ('failed', 'enough')


def test_the_first_end_stands():
    class Twice(JobRunner):
        def run(self):
            self.job.terminate('failed', error='first')

    job = Twice.enqueue(immediate=True)
    assert (status(job), job.error) == ('failed', 'first')


def test_terminate_takes_terminal_statuses_only():
    with pytest.raises(ValueError, match='completed'):
        Plain.enqueue().terminate('running')


def test_save_of_an_existing_row_writes_data_error_and_interval_only():
    job = Plain.enqueue()
    job.status, job.name, job.data, job.error, job.interval = 'completed', 'other', [1], 'e', 7
    job.save()
    job.refresh_from_db()
    assert (job.status, job.name, job.data, job.error, job.interval) == ('pending', 'Plain', [1], 'e', 7)
    with pytest.raises(ValueError, match='status'):
        job.save(update_fields=['status'])


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
    from datetime import timedelta

    from django.utils import timezone

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


@pytest.mark.parametrize(
    ('value', 'words'),
    [({'a': [{1, 2}]}, "job.data['a'][0] (set)"), ({'n': math.nan}, "job.data['n']"), (object(), 'job.data (object)')],
)
def test_data_that_cannot_be_stored_makes_the_job_errored_and_is_named(value, words):
    class Odd(JobRunner):
        def run(self):
            self.job.data = value

    job = Odd.enqueue(immediate=True)
    assert status(job) == 'errored'
    assert words in job.error


def test_text_that_cannot_be_stored_is_made_storable():
    class Odd(JobRunner):
        def run(self):
            self.job.data = {'k\x00': ['half \ud800', 'whole \U0001f600']}
            raise RuntimeError('nul \x00 half \udfff')

    job = Odd.enqueue(immediate=True)
    assert status(job) == 'errored'
    assert job.data == {'k\ufffd': ['half \ufffd', 'whole \U0001f600']}
    assert job.error.startswith('RuntimeError(')


def test_data_set_in_run_is_kept_saved_or_not():
    class Saving(JobRunner):
        def run(self):
            self.job.data = {'step': 1}
            self.job.save(update_fields=['data'])
            assert Job.objects.get(pk=self.job.pk).data == {'step': 1}
            self.job.data['step'] = 2

    job = Saving.enqueue(immediate=True)
    assert status(job) == 'completed', job.error
    assert job.data == {'step': 2}


def test_signals_go_out_once_after_the_commit_with_the_job_as_sender():
    seen = []

    def started(sender, **kwargs):
        seen.append(('start', sender.pk, transaction.get_connection().in_atomic_block))

    def ended(sender, **kwargs):
        seen.append(('end', sender.pk, sender.status))

    job_start.connect(started)
    job_end.connect(ended)
    try:
        with transaction.atomic():
            job = Plain.enqueue(immediate=True)
            assert seen == []
        assert seen == [('start', job.pk, False), ('end', job.pk, 'completed')]
        crashed = Plain.enqueue()
        crashed.start()
        del seen[:]
        recovery.end_orphan(Job.objects.get(pk=crashed.pk), 'gone')
        assert seen == [('end', crashed.pk, 'errored')]
    finally:
        job_start.disconnect(started)
        job_end.disconnect(ended)


def test_a_raising_receiver_is_logged_and_changes_no_status(caplog, work):
    def receiver(sender, **kwargs):
        raise RuntimeError('receiver')

    job_end.connect(receiver)
    try:
        job = Plain.enqueue()
        work()
    finally:
        job_end.disconnect(receiver)
    assert status(job) == 'completed'
    assert 'the job_end receiver' in caplog.text


def test_get_absolute_url_is_the_page_in_the_admin(admin_client):
    job = Talking.enqueue(immediate=True, instance=Thing.objects.create())
    assert admin_client.get(job.get_absolute_url()).status_code == 200
    assert admin_client.get('/admin/netbox_jobs/job/').status_code == 200
    assert admin_client.get('/admin/netbox_jobs/schedule/').status_code == 200

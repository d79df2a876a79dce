"""What may be written to a job's row, and by whom: P2, P3, decisions 6 and 7."""

import math
import pickle
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from netbox_jobs.choices import JobStatusChoices
from netbox_jobs.exceptions import AlreadyClaimed, JobFailed
from netbox_jobs.jobs import JobRunner
from netbox_jobs.lifecycle import requeue
from netbox_jobs.maintenance import orphans
from netbox_jobs.models import Job
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
    orphans.end_orphan(Job.objects.get(pk=job.pk), 'declared dead')
    job.data = {'late': True}
    job.save()
    job.terminate()
    found = Job.objects.get(pk=job.pk)
    assert (found.status, found.error, found.data) == ('errored', 'declared dead', None)
    assert Plain.get_jobs().count() == 2
    assert 'was not recorded: it is errored already' in caplog.text


def test_terminate_without_the_claim_takes_it_over():
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


def test_a_terminal_status_that_save_names_ends_the_job_as_terminate_does():
    job = Plain.enqueue(interval=10)
    job.status, job.error, job.data = 'failed', 'lost', {'k': 1}
    job.save(update_fields=['status', 'completed', 'error', 'data'])
    found = Job.objects.get(pk=job.pk)
    assert (found.status, found.error, found.data) == ('failed', 'lost', {'k': 1})
    assert found.completed is not None
    assert Plain.get_jobs().waiting().get().predecessor_id == job.pk
    job.status = 'completed'
    job.save(update_fields=['status'])
    late = Job.objects.defer('data').get(pk=job.pk)
    late.status = 'errored'
    late.save(update_fields=['status', 'completed'])
    assert status(job) == 'failed'  # the first end stands


def test_a_status_that_a_run_saves_does_not_end_it():
    class Declaring(JobRunner):
        def run(self):
            self.job.status = 'errored'
            self.job.save(update_fields=['status', 'error'])
            assert status(self.job) == 'running'

    assert status(Declaring.enqueue(immediate=True)) == 'completed'


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


def test_get_absolute_url_is_the_page_in_the_admin(admin_client):
    job = Talking.enqueue(immediate=True, instance=Thing.objects.create())
    assert admin_client.get(job.get_absolute_url()).status_code == 200
    assert admin_client.get('/admin/netbox_jobs/job/').status_code == 200
    assert admin_client.get('/admin/netbox_jobs/schedule/').status_code == 200


def test_save_names_and_writes_single_fields():
    job = Plain.enqueue()
    job.data, job.error = {'a': 1}, 'not written'
    job.save(update_fields=['data'])
    assert (status(job), job.data, job.error) == ('pending', {'a': 1}, '')
    job.data = {'a': 2}
    job.save(update_fields=('error', 'log_entries'))
    job.refresh_from_db()
    assert job.data == {'a': 1}


def test_save_writes_for_whom_and_about_what_a_job_is_if_that_is_named(django_user_model):
    job, thing = Plain.enqueue(), Thing.objects.create()
    job.user, job.name, job.object = django_user_model.objects.create(username='u'), 'other', thing
    job.save()
    assert Job.objects.get(pk=job.pk).name == 'Plain'
    job.save(update_fields=['user_id', 'name', 'object_type', 'object_id'])
    found = Job.objects.get(pk=job.pk)
    assert (found.user, found.name, found.object) == (job.user, 'other', thing)
    with pytest.raises(ValueError, match='not queue_name, status'):
        job.save(update_fields=['name', 'status', 'queue_name'])


def test_save_of_data_that_cannot_be_stored_names_it():
    job = Plain.enqueue()
    job.data = {'a': {1, 2}}
    with pytest.raises(TypeError, match=r"data\['a'\]"):
        job.save()
    job.data, job.interval = None, 0
    with pytest.raises(ValueError, match='1 or more'):
        job.save()


def test_a_save_within_run_is_visible_to_others_at_once():
    class Saving(JobRunner):
        def run(self):
            for step in range(3):
                self.job.data = {'step': step}
                self.job.save()
                seen.append(Job.objects.get(pk=self.job.pk).data)

    seen = []
    job = Saving.enqueue(immediate=True)
    assert status(job) == 'completed'
    assert seen == [{'step': 0}, {'step': 1}, {'step': 2}]


def test_another_object_of_the_running_row_may_save_and_terminate_it():
    """As plugins do that look their job up again."""

    class Looking(JobRunner):
        def run(self):
            other = Job.objects.get(pk=self.job.pk)
            other.data = {'by': 'other'}
            other.save()
            other.terminate('failed', error='seen from there')

    job = Looking.enqueue(immediate=True)
    assert (status(job), job.error, job.data) == ('failed', 'seen from there', {'by': 'other'})


def test_rows_can_be_made_checked_and_loaded_in_part():
    job = Job(name='by hand')
    job.full_clean()
    job.save()
    assert job.job_id is not None
    part = Job.objects.only('name').get(pk=job.pk)
    part.start()
    part.terminate()
    assert status(job) == 'completed'
    assert str(job) == 'by hand'


def test_a_job_survives_pickling(work):
    """As caches do it."""
    job = pickle.loads(pickle.dumps(Plain.enqueue(word='x')))
    work()
    assert (status(job), job.data) == ('completed', {'word': 'x'})


def test_p3_the_run_that_was_given_up_changes_nothing_in_its_retry():
    job = Plain.enqueue()
    job.start()
    assert requeue.requeue(job, delay=0, after='died', crashed=True)
    again = Job.objects.get(pk=job.pk)
    again.start()
    job.data = {'late': True}
    job.save()
    job.terminate('failed')
    assert (status(again), again.data) == ('running', None)


def test_the_queries_that_are_asked_most():
    waiting, running, ended = Plain.enqueue(), Plain.enqueue(), Plain.enqueue(immediate=True)
    running.start()
    assert list(Job.objects.waiting()) == [waiting]
    assert list(Job.objects.running()) == [running]
    assert list(Job.objects.ended()) == [ended]
    assert [waiting.ended, running.ended, ended.ended] == [False, False, True]


def test_duration_and_colour_before_and_after():
    job = Plain.enqueue()
    assert (job.duration, job.get_status_color()) == (None, 'cyan')
    Job.objects.filter(pk=job.pk).update(execution_time=timedelta(minutes=2, seconds=3.5), status='errored')
    job.refresh_from_db()
    assert (job.duration, job.get_status_color()) == ('2 minutes, 3.50 seconds', 'red')


def test_the_error_of_a_failed_job_is_made_storable():
    class Odd(JobRunner):
        def run(self):
            raise JobFailed('nul \x00 half \udfff')

    job = Odd.enqueue(immediate=True)
    assert (status(job), job.error) == ('failed', 'nul \ufffd half \ufffd')


def test_a_new_object_with_an_old_key_overwrites_nothing():
    job = Plain.enqueue()
    with pytest.raises(IntegrityError), transaction.atomic():
        Job(pk=job.pk, name='impostor').save()
    assert (status(job), job.name) == ('pending', 'Plain')


def test_an_end_that_its_caller_rolls_back_can_be_written_again():
    job = Plain.enqueue(interval=5)
    with pytest.raises(RuntimeError), transaction.atomic():
        job.terminate()
        job.terminate(JobStatusChoices.STATUS_FAILED)  # the first end stands, as long as it stands
        assert Job.objects.get(pk=job.pk).status == 'completed'
        raise RuntimeError
    job.terminate(JobStatusChoices.STATUS_ERRORED, error='after all')
    job.refresh_from_db()
    assert (job.status, job.error) == ('errored', 'after all')
    assert Plain.get_jobs().waiting().get().predecessor_id == job.pk

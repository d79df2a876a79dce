"""What may be written to a job's row, and by whom: P2, P3, decisions 6 and 7."""

import math

import pytest

from netbox_jobs import recovery
from netbox_jobs.exceptions import AlreadyClaimed
from netbox_jobs.jobs import JobRunner
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

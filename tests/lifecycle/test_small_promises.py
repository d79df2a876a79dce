"""What callers of `cancel()`, `delete()`, `enqueue()` and `fork()` may rely on."""

import os

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from netbox_jobs.broker import delivery
from netbox_jobs.jobs import JobRunner
from netbox_jobs.maintenance import recovery
from netbox_jobs.models import Job, JobLogEntry, Schedule
from tests.app.jobs import Plain, Talking
from tests.app.models import Thing
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)


def test_cancel_leaves_data_alone_that_the_caller_has_set_and_not_saved():
    job = Plain.enqueue()
    Job.objects.filter(pk=job.pk).update(data={'stored': 1})
    job.data = {'mine': 1}
    assert job.cancel()
    assert (job.data, job.status) == ({'mine': 1}, 'canceled')
    assert Job.objects.get(pk=job.pk).data == {'stored': 1}
    assert not job.cancel()
    assert job.data == {'mine': 1}
    job.save(update_fields=['data'])
    assert Job.objects.get(pk=job.pk).data == {'mine': 1}


@pytest.mark.parametrize('names', [['nope'], ['data', 'nope']])
def test_a_save_that_names_a_field_which_does_not_exist_says_so_and_writes_nothing(names):
    job = Plain.enqueue()
    job.data = 'x'
    with pytest.raises(ValueError, match='not nope'):
        job.save(update_fields=names)
    assert Job.objects.get().data is None


def test_fifty_waiting_jobs_are_deleted_in_a_few_statements():
    jobs = Talking.enqueue_many([{}] * 50)
    kept = Talking.enqueue(immediate=True)
    JobLogEntry.objects.create(job_id=jobs[0].pk, level='info', message='x')
    with CaptureQueriesContext(
        connection,
    ) as queries:
        Job.objects.exclude(pk=kept.pk).delete()
    assert len(queries) < 20, [query['sql'][:100] for query in queries]
    assert list(Job.objects.all()) == [kept]
    assert set(JobLogEntry.objects.values_list('job_id', flat=True)) == {kept.pk}
    assert delivery.queue('default').job_ids == []


def test_periodic_jobs_that_are_deleted_together_end_their_schedules():
    for _ in range(3):
        Plain.enqueue_once(instance=Thing.objects.create(), interval=5)
    _deleted, by_model = Job.objects.all().delete()
    assert (by_model['netbox_jobs.Job'], Job.objects.count(), Schedule.objects.count()) == (3, 0, 0)


@pytest.fixture
def manual():
    """Autocommit is off, as in scripts that manage their transactions themselves."""
    connection.set_autocommit(False)
    yield
    connection.rollback()
    connection.set_autocommit(True)


def test_enqueue_with_autocommit_off_stores_the_job_that_recovery_delivers_once_it_is_committed(manual):
    jobs = [Plain.enqueue(), Plain.enqueue_once(interval=5), *Plain.enqueue_many([{}, {}])]
    assert delivery.queue('default').job_ids == []
    connection.commit()
    connection.set_autocommit(True)
    Job.objects.update(due=1)
    recovery.redeliver_vanished()
    assert len(delivery.queue('default').job_ids) == len(jobs) == 4


def test_nothing_is_left_of_what_was_enqueued_with_autocommit_off_and_rolled_back(manual):
    Plain.enqueue()
    Plain.enqueue_once(interval=5).cancel()
    connection.rollback()
    assert Job.objects.count() == Schedule.objects.count() == 0


class Forking(JobRunner):
    def run(self):
        self.logger.info('before')
        pid = os.fork()
        if pid == 0:
            for number in range(3):
                self.logger.info('in the fork %s', number)
            os._exit(0)
        os.waitpid(pid, 0)
        self.logger.info('after')


@pytest.mark.process
def test_lines_of_a_process_that_run_forks_are_kept(work):
    job = Forking.enqueue()
    work()
    assert status(job) == 'completed'
    messages = {line['message'] for line in job.log_entries}
    assert messages == {'before', 'after', *(f'in the fork {number}' for number in range(3))}
    assert job.log_entries[-1]['message'] == 'after' or len(job.log_entries) == 5
    with transaction.atomic():  # the session of the parent is alive
        assert Job.objects.count() == 1

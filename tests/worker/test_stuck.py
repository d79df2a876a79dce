"""Jobs that exceed their time limit, are deleted, or break their connection: a real worker ends them."""

import pytest
from django.db import transaction

from netbox_jobs.models import Job
from tests.app.jobs import (
    Breaking,
    Plain,
    Sleeping,
    Spawning,
    Stubborn,
    Stuck,
)
from tests.app.models import Thing
from tests.processes import is_alive, status, wait_for
from tests.worker.traces import started

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.process]


@pytest.mark.once
def test_a_time_limit_ends_a_job_that_is_stuck_in_c_code_too(start_worker):
    worker = start_worker()
    job = Stuck.enqueue(job_timeout=1)
    wait_for(lambda: status(job) == 'errored')
    assert 'exceeded its time limit of 1 seconds' in job.error
    after = Plain.enqueue()
    wait_for(lambda: status(after) == 'completed')
    assert worker.process.poll() is None


@pytest.mark.once
def test_a_time_limit_is_named_in_the_error_and_the_worker_lives(start_worker):
    worker = start_worker()
    job = Sleeping.enqueue(job_timeout=1)
    wait_for(lambda: status(job) == 'errored')
    assert 'exceeded maximum timeout value (1 seconds)' in job.error
    after = Plain.enqueue()
    wait_for(lambda: status(after) == 'completed')
    assert worker.process.poll() is None


@pytest.mark.once
def test_a_time_limit_that_is_swallowed_ends_the_process(start_worker):
    worker = start_worker()
    job = Stubborn.enqueue(job_timeout=1)
    wait_for(lambda: status(job) == 'errored')
    assert 'exceeded its time limit of 1 seconds' in job.error
    after = Plain.enqueue()
    wait_for(lambda: status(after) == 'completed')
    assert worker.process.poll() is None


def test_p7_deleting_a_running_job_stops_it_with_what_it_has_started(start_worker):
    start_worker()
    job = Spawning.enqueue(interval=10)
    wait_for(lambda: status(job) == 'running' and job.data)
    child = job.data['pid']
    job.delete()
    wait_for(lambda: not is_alive(child), 40)
    assert not Spawning.get_jobs().exists()


def test_p7_a_rolled_back_deletion_stops_nothing(start_worker, tmp_path):
    start_worker()
    go = tmp_path / 'go'
    job = Sleeping.enqueue(until=str(go))
    wait_for(lambda: started(job))
    with transaction.atomic():
        Job.objects.get(pk=job.pk).delete()
        transaction.set_rollback(True)
    go.touch()
    wait_for(lambda: status(job) == 'completed')


@pytest.mark.parametrize('how', ['open', 'broken', 'swallowed', 'closed', 'killed'])
def test_whatever_run_does_to_its_connection_the_outcome_is_recorded(start_worker, how):
    start_worker()
    job = Breaking.enqueue(interval=10, how=how)
    wait_for(lambda: status(job) in ('completed', 'errored'))
    if how != 'killed':  # the statement that kills its own session may raise, or not
        assert status(job) == ('errored' if how == 'broken' else 'completed'), job.error
    assert Breaking.get_jobs().waiting().get().predecessor_id == job.pk
    assert not Thing.objects.filter(name='lost').exists()

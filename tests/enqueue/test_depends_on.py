"""`enqueue(depends_on=...)`."""

import pytest

from netbox_jobs.broker import delivery
from netbox_jobs.models import Job
from tests.app.jobs import (
    Failing,
    Plain,
)
from tests.enqueue.delivered import ids_in_rq
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)


def test_depends_on_a_job_of_ours_is_gated_in_the_database(work):
    first = Plain.enqueue(queue_name='low')
    second = Plain.enqueue(queue_name='high', depends_on=first)
    assert ids_in_rq('high') == []
    work()
    work()
    assert (status(first), status(second)) == ('completed', 'completed')
    assert first.completed <= second.started


def test_a_job_whose_dependency_fails_is_errored_and_says_so(work):
    first = Failing.enqueue()
    second = Plain.enqueue(depends_on=[first])
    work()
    assert status(second) == 'errored'
    assert f'depends on job {first.pk}' in second.error


def test_p7_a_job_one_of_whose_dependencies_has_failed_does_not_run_when_that_is_deleted(work):
    failed, waiting = Failing.enqueue(queue_name='low'), Plain.enqueue(queue_name='high')
    job = Plain.enqueue(depends_on=[failed, waiting])
    work('low')
    assert status(job) == 'errored'
    Job.objects.get(pk=failed.pk).delete()
    work()
    assert (status(waiting), status(job)) == ('completed', 'errored')


def test_depends_on_an_ended_job_runs_at_once(work):
    first = Plain.enqueue(immediate=True)
    second, third = (Plain.enqueue(depends_on=found) for found in (str(first.job_id), first.job_id))
    assert list(third.dependencies.all()) == [first]
    work()
    assert (status(second), status(third)) == ('completed', 'completed')


def test_depends_on_a_job_of_rq_alone_is_left_to_rq(work):
    foreign = delivery.queue('default').enqueue_call('math.sqrt', args=(4,))
    job = Plain.enqueue(depends_on=foreign)
    work()
    assert status(job) == 'completed'

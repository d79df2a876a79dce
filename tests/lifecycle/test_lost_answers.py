"""P1: the database commits a claim or an end, and its answer is lost with the session: nothing is errored for it."""

from contextlib import contextmanager

import pytest
from django.db import OperationalError, connection

from netbox_jobs.execution.entry import run_delivered
from netbox_jobs.lifecycle import claim
from netbox_jobs.lifecycle.claim_next import NextClaim
from netbox_jobs.models import Job
from netbox_jobs.signals import job_end, job_start
from tests.app.jobs import Plain
from tests.app.models import Thing
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def lost(is_meant):
    """Lose the answer of the first statement that is meant, or of the commit of its transaction."""
    done, commit = [], connection.commit

    def execute(run, sql, params, many, context):
        result = run(sql, params, many, context)
        if not done and is_meant(sql, params):
            done.append(sql)
            if not connection.in_atomic_block:
                raise OperationalError('the answer was lost')
        return result

    def committed():
        commit()
        if done and len(done) == 1:
            done.append('commit')
            raise OperationalError('the answer was lost')

    connection.commit = committed
    try:
        with connection.execute_wrapper(execute):
            yield done
    finally:
        del connection.commit


def writes(status):
    return lambda sql, params: 'UPDATE' in sql and 'netbox_jobs_job' in sql and status in (params or ())


@contextmanager
def told():
    """The signals that are sent: which, and of which job."""
    found = []

    def start(sender, **kwargs):
        found.append(('start', sender.pk))

    def end(sender, **kwargs):
        found.append(('end', sender.pk))

    job_start.connect(start)
    job_end.connect(end)
    try:
        yield found
    finally:
        job_start.disconnect(start)
        job_end.disconnect(end)


def test_a_claim_whose_answer_was_lost_is_taken_over_and_the_job_runs_once():
    job = Plain.enqueue(word='own')
    with told() as signals, lost(writes('running')) as losses:
        run_delivered(str(job.job_id), sole=True)
    assert losses
    assert (status(job), job.attempt, job.data, job.error) == ('completed', 1, {'word': 'own'}, '')
    assert signals == [('start', job.pk), ('end', job.pk)]


def test_p2_a_job_that_another_process_of_the_worker_has_claimed_is_not_taken_over():
    job = Plain.enqueue()
    first = claim.claim(str(job.job_id), 'worker', 'default')
    assert first is not None and claim.claim(str(job.job_id), 'worker', 'default') is None
    with lost(lambda sql, params: 'netbox_jobs_job' in sql), pytest.raises(OperationalError):
        claim.claim(str(job.job_id), 'worker', 'default')
    assert claim.claim(str(job.job_id), 'worker', 'default') is None


@pytest.mark.parametrize('interval', [None, 5])
def test_an_end_whose_answer_was_lost_is_announced_once(interval):
    job = Plain.enqueue_once(instance=Thing.objects.create(), interval=interval) if interval else Plain.enqueue()
    with told() as signals, lost(writes('completed')) as losses:
        run_delivered(str(job.job_id), sole=True)
    assert losses
    assert signals == [('start', job.pk), ('end', job.pk)]
    assert status(job) == 'completed'
    assert Job.objects.waiting().count() == (1 if interval else 0)


def test_the_next_job_that_was_claimed_with_an_end_whose_answer_was_lost_runs():
    first, second = Plain.enqueue(), Plain.enqueue()
    following = NextClaim(lambda: str(second.job_id))
    with lost(writes('completed')) as losses:
        run_delivered(str(first.job_id), sole=True, next_claim=following)
        run_delivered(str(second.job_id), sole=True, claimed=following.job)
    assert losses
    assert [(status(job), job.attempt, job.error) for job in (first, second)] == [('completed', 1, '')] * 2

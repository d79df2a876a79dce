"""Actions on all jobs that match a filter."""

import pytest

from netbox_jobs.exceptions import JobCanceled
from netbox_jobs.execution import execution
from netbox_jobs.jobs import JobRunner
from netbox_jobs.maintenance import bulk_action
from netbox_jobs.maintenance.bulk_action import act_on_jobs, matching
from netbox_jobs.models import Job
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)


class Fragile(JobRunner):
    """Fails in one way."""

    def run(self, host):
        raise ValueError(f'no route to {host}')


@pytest.fixture
def failed():
    """Three jobs that errored in the same way."""
    return [Fragile.enqueue(host=f'10.0.0.{number}', immediate=True) for number in range(3)]


def perform(work, action, **filters):
    job = act_on_jobs(action, filters)
    work()
    assert status(job) == 'completed', Job.objects.get(pk=job.pk).error
    return Job.objects.get(pk=job.pk).data


def test_all_failures_of_one_cause_are_retried(work, failed):
    data = perform(work, 'retry', error=failed[0].fingerprint)
    assert (data['matched'], data['changed'], data['failures']) == (3, 3, [])
    assert sorted(Job.objects.exclude(retry_of=None).values_list('retry_of', flat=True)) == [job.pk for job in failed]


def test_a_job_that_was_retried_is_not_retried_again(work, failed):
    failed[0].retry()
    assert matching('retry', {'error': failed[0].fingerprint}).count() == 2


def test_waiting_jobs_are_canceled_and_others_are_left_alone(work, failed):
    waiting = [Fragile.enqueue(host='x', queue_name='low') for _ in range(2)]
    assert perform(work, 'cancel', queue='low')['changed'] == 2
    assert [status(job) for job in waiting] == ['canceled', 'canceled']
    assert [status(job) for job in failed] == ['errored'] * 3


def test_a_stop_keeps_what_is_done(failed, monkeypatch):
    done = []

    def retry(job):
        done.append(job.pk)
        Job.objects.filter(pk=acting.pk).first().stop()
        return True

    monkeypatch.setitem(bulk_action._PERFORM, 'retry', retry)
    monkeypatch.setattr(execution, 'STOP_LOOK', 0)
    acting = act_on_jobs('retry', {'status': 'errored'})
    acting.refresh_from_db()
    with pytest.raises(JobCanceled):
        bulk_action.ActOnJobs.handle(acting, **acting.get_arguments())
    acting.refresh_from_db()
    assert (acting.status, acting.data['changed'], len(done)) == ('canceled', 1, 1)


def test_what_cannot_be_changed_is_listed(work, failed, monkeypatch):
    def refuse(job):
        raise TypeError(f'job {job.pk}')

    monkeypatch.setitem(bulk_action._PERFORM, 'retry', refuse)
    data = perform(work, 'retry', runner=failed[0].runner)
    assert (data['changed'], [each['job'] for each in data['failures']]) == (0, [job.pk for job in failed])


@pytest.mark.parametrize(
    ('action', 'filters', 'message'),
    [
        ('explode', {'queue': 'low'}, "'explode' is not an action on jobs; expected one of retry"),
        ('retry', {'que': 'low'}, "'que' is not a filter of jobs; expected one of status"),
        ('retry', {}, 'Name at least one filter'),
    ],
)
def test_an_unknown_action_or_filter_is_refused_before_anything_is_written(action, filters, message):
    with pytest.raises(ValueError, match=message):
        act_on_jobs(action, filters)
    assert not Job.objects.exists()

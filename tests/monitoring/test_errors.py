"""What went wrong, by cause."""

from datetime import timedelta

import pytest
from django.utils import timezone

from netbox_jobs.exceptions import JobFailed
from netbox_jobs.jobs import JobRunner
from netbox_jobs.models import Job, MutedError
from netbox_jobs.monitoring import errors

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


class Fragile(JobRunner):
    """Fails in the way that its arguments say."""

    def run(self, host, expected=False):
        raise JobFailed(f'No route to {host}') if expected else ValueError(f'no route to {host}')


class Other(Fragile):
    """Fails in the same way."""


@pytest.fixture
def failures():
    """Four jobs, of three causes."""
    calls = [(Fragile, '10.0.0.1', False), (Fragile, '10.0.0.2', False), (Fragile, '10.0.0.3', True)]
    calls.append((Other, '1', False))
    return [runner.enqueue(host=host, expected=expected, immediate=True) for runner, host, expected in calls]


def test_failures_of_one_cause_are_one_group(failures):
    first, second, *_ = failures
    group, *others = errors.groups(DAY)
    assert (group.count, group.newest, group.message) == (2, second.pk, 'ValueError: no route to 10.0.0.2')
    assert (group.first, group.last) == (first.completed, second.completed)
    assert (group.queues, sum(group.bars), group.bars[-1], group.new, group.muted) == (['default'], 2, 2, True, False)
    assert {(each.runner.rpartition('.')[2], each.message) for each in others} == {
        ('Fragile', 'No route to 10.0.0.3'),
        ('Other', 'ValueError: no route to 1'),
    }


def test_only_jobs_that_end_with_an_error_have_a_fingerprint(failures):
    assert all(job.fingerprint for job in failures)
    canceled = Fragile.enqueue(host='x')
    canceled.cancel()
    assert Job.objects.get(pk=canceled.pk).fingerprint == ''


def test_an_error_that_occurred_before_the_period_is_not_new(failures):
    Job.objects.filter(pk=failures[0].pk).update(completed=timezone.now() - 2 * DAY)
    group = next(each for each in errors.groups(DAY) if each.newest == failures[1].pk)
    assert (group.count, group.new) == (1, False)


def test_muted_errors_come_last(failures):
    MutedError.objects.create(fingerprint=failures[0].fingerprint)
    assert [each.muted for each in errors.groups(DAY)] == [False, False, True]


def test_groups_can_be_of_one_queue_or_runner(failures):
    assert {each.runner for each in errors.groups(DAY, runner=failures[3].runner)} == {failures[3].runner}
    assert errors.groups(DAY, queue='low') == []


def test_the_number_of_statements_is_the_same_for_any_number_of_errors(failures, django_assert_num_queries):
    with django_assert_num_queries(7):
        errors.groups(DAY)

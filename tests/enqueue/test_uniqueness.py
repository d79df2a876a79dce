"""P10: `Meta.unique` is exact: under many callers, whatever dies, on every database."""

import pickle
from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.utils import timezone

from netbox_jobs.broker import delivery
from netbox_jobs.exceptions import JobExists
from netbox_jobs.jobs import JobRunner, Unique
from netbox_jobs.lifecycle import claim, requeue
from netbox_jobs.maintenance import slots
from netbox_jobs.maintenance.orphans import end_orphan
from netbox_jobs.models import Job, UniqueJob
from tests import nursery
from tests.app.models import Thing
from tests.app.uniques import Raising, Replacing, Same, SamePage, Throttled
from tests.dying import at_each_statement
from tests.processes import environment, status

pytestmark = pytest.mark.django_db(transaction=True)


def take(job):
    return claim.claim(str(job.job_id), 'worker', 'default')


def test_a_job_that_is_the_same_is_returned_while_it_waits_and_while_it_runs():
    first = Same.enqueue(page=1)
    assert Same.enqueue(page=1).pk == first.pk
    running = take(first)
    assert Same.enqueue(page=1).pk == first.pk
    running.terminate()
    second = Same.enqueue(page=1)
    assert second.pk != first.pk
    second.delete()
    assert Same.enqueue(page=1).pk not in (first.pk, second.pk)


def test_others_are_not_the_same():
    thing, other = Thing.objects.create(), Thing.objects.create()
    jobs = [
        Same.enqueue(), Same.enqueue(page=1), Same.enqueue(page='1'), Same.enqueue(instance=thing),
        Same.enqueue(instance=other), Same.enqueue(extra=None), Same.enqueue(page=1.0), Same.enqueue(page=True),
    ]  # fmt: skip
    assert len({job.pk for job in jobs}) == 8


@pytest.mark.parametrize(
    ('one', 'other'),
    [
        ({'page': 0}, {}),
        ({'extra': {'a': 1, 'b': [2]}}, {'extra': {'b': [2], 'a': 1}}),
        ({'extra': {'a', 'b', 'c'}}, {'extra': {'c', 'b', 'a'}}),
        ({'extra': {1: 'x', 2: 'y'}}, {'extra': {2: 'y', 1: 'x'}}),
        ({'extra': 1 + 2j}, {'extra': 2j + 1}),
        ({'page': 1, 'extra': 2}, {'extra': 2, 'page': 1}),
    ],
)
def test_equal_arguments_are_the_same(one, other):
    assert Same.enqueue(**one).pk == Same.enqueue(**other).pk


def test_by_single_arguments_and_only_while_it_waits():
    thing = Thing.objects.create()
    first = SamePage.enqueue(page=1, note='a')
    assert SamePage.enqueue(page=1, note='b', instance=thing).pk == first.pk
    take(first)
    assert SamePage.enqueue(page=1).pk != first.pk


def test_replace_cancels_the_one_that_waits_and_returns_the_one_that_runs():
    first = Replacing.enqueue(page=1)
    second = Replacing.enqueue(page=2)
    assert (status(first), status(second)) == ('canceled', 'pending')
    assert delivery.queue('default').job_ids == [str(second.job_id)]
    take(second)
    assert Replacing.enqueue(page=3).pk == second.pk


def test_raise_raises_and_leaves_the_transaction_usable():
    first = Raising.enqueue()
    with transaction.atomic():
        with pytest.raises(JobExists, match='is the same') as raised:
            Raising.enqueue()
        Raising.enqueue(page=1)
    assert raised.value.job.pk == first.pk
    assert Raising.get_jobs().count() == 2
    assert pickle.loads(pickle.dumps(raised.value)).job == first


def test_within_a_time_it_counts_whatever_becomes_of_it():
    first = Throttled.enqueue()
    take(first).terminate('errored')
    assert Throttled.enqueue().pk == first.pk
    slots.sweep()
    assert Throttled.enqueue().pk == first.pk
    UniqueJob.objects.update(until=1)
    assert Throttled.enqueue().pk != first.pk


def test_enqueue_many_and_calls_within_one_transaction_are_compared_too():
    with transaction.atomic():
        jobs = Same.enqueue_many([{'page': 1}, {'page': 2}, {'page': 1}])
        assert Same.enqueue(page=2).pk == jobs[1].pk
    assert jobs[0].pk == jobs[2].pk
    assert len(delivery.queue('default').job_ids) == 2


def test_a_rollback_leaves_nothing():
    with pytest.raises(RuntimeError), transaction.atomic():
        Same.enqueue()
        raise RuntimeError
    assert not UniqueJob.objects.exists()
    assert Same.enqueue().pk


def test_a_chain_continues_and_a_retry_by_hand_is_not_refused():
    later = timezone.now() + timedelta(hours=1)
    job = Throttled.enqueue(schedule_at=later, interval=5)
    Job.objects.filter(pk=job.pk).update(status='pending', due=1)
    take(job).terminate()
    assert Job.objects.get(predecessor_id=job.pk).status == 'scheduled'
    again = Job.objects.get(pk=job.pk).retry()
    assert again.pk != job.pk and again.retry_of_id == job.pk
    assert Throttled.enqueue().pk == again.pk


def test_a_dead_worker_does_not_keep_others_from_being_enqueued():
    first = Same.enqueue()
    take(first)
    end_orphan(Job.objects.get(pk=first.pk), 'its worker is gone')
    assert Same.enqueue().pk != first.pk


def test_a_job_that_is_to_be_retried_counts_as_one_that_waits():
    first = Same.enqueue()
    requeue.requeue(take(first), 3600, after='x')
    assert Same.enqueue().pk == first.pk


def test_what_counts_no_more_is_swept():
    take(Same.enqueue(page=1)).terminate()
    kept = Same.enqueue(page=2)
    slots.sweep()
    assert [row.job_id for row in UniqueJob.objects.all()] == [kept.pk]


def test_p10_a_caller_that_dies_at_any_statement_leaves_one_job_or_none():
    for number in at_each_statement(lambda: Replacing.enqueue(page=1)):
        waiting = list(Replacing.get_jobs().waiting())
        assert len(waiting) <= 1, number
        assert Replacing.enqueue(page=2).status == 'pending'
        assert Replacing.get_jobs().waiting().count() == 1
    assert number > 3


@pytest.mark.process
@pytest.mark.parametrize('runner', ['Same', 'Raising', 'Replacing', 'Throttled'])
def test_p10_many_callers_at_once_make_one_job_of_each(runner):
    done = nursery.run(['-m', 'tests.app.unique_callers', runner, '8', '20'], environment())
    assert done.stdout == '0 calls failed\n', done.stderr[-3000:]
    waiting = Job.objects.waiting().filter(runner=f'tests.app.uniques.{runner}')
    assert waiting.count() == (1 if runner == 'Replacing' else 2)
    assert Job.objects.count() == (160 if runner == 'Replacing' else 2)
    assert set(delivery.queue('default').job_ids) >= {str(job.job_id) for job in waiting}


@pytest.mark.parametrize(
    'unique',
    [
        lambda: True,
        lambda: Unique(by=('nothing',)),
        lambda: Unique(by='arguments'),
        lambda: Unique(by=('arguments.pag',)),
        lambda: Unique(while_=('ended',)),
        lambda: Unique(while_=()),
        lambda: Unique(within=5),
        lambda: Unique(on_conflict='skip'),
    ],
)
def test_what_is_not_acceptable_is_refused_when_the_class_is_made(unique):
    with pytest.raises((ImproperlyConfigured, ValueError)):
        type('Wrong', (JobRunner,), {'Meta': type('Meta', (), {'unique': unique()}), 'run': lambda self, page: None})

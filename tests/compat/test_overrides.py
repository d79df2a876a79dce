"""Runners in the style of plugins that override `handle` or `enqueue`, or end their jobs themselves."""

from datetime import timedelta

import pytest

from netbox_jobs.models import Job
from tests.app.models import Thing
from tests.compat import (
    adaptive_polling,
    atomic_handle,
    change_tracking,
    declared_status,
    provider_sync,
    scheduled_sync,
    script_runner,
    self_managed,
)
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_runner_that_wraps_handle(run, user):
    request = script_runner.CopiedRequest(user=user, POST={'a': ['1']})
    job = run(change_tracking.TrackedJob, field='x', request=request, more=1)
    assert (job.status, job.data) == ('completed', {'field': 'x', 'by': 'ada', 'else': ['more']})
    assert change_tracking.acting_user.get() == 'no user'


def test_a_runner_with_an_enqueue_of_its_own(run, user):
    account = Thing.objects.create()
    job = run(provider_sync.ProviderSyncJob, account_pk=account.pk)
    assert (job.status, job.queue_name, job.job_timeout) == ('completed', 'tests.app.work', 7200)
    assert job.notifications == 'on_failure'
    first, created = provider_sync.ProviderSyncJob.enqueue_for_account(account, user=user)
    assert (created, first.name, first.user) == (True, f'Provider sync [{account.pk}]', user)
    assert provider_sync.ProviderSyncJob.enqueue_for_account(account) == (first, False)


@pytest.mark.parametrize(('how', 'ending'), [('well', 'completed'), ('badly', 'failed'), ('worse', 'errored')])
def test_a_runner_that_manages_itself_has_one_successor(run, how, ending):
    thing = Thing.objects.create()
    job = run(self_managed.SelfManagedJob, instance=thing, interval=10, how=how, job_timeout=99)
    assert job.status == ending
    following = self_managed.SelfManagedJob.get_jobs(thing).exclude(pk=job.pk).get()
    assert (following.status, following.interval, following.predecessor_id) == ('scheduled', 10, job.pk)
    assert following.get_arguments() == {'how': how}
    if how == 'worse':
        assert job.data == {'traceback': "KeyError: 'not expected'"}


@pytest.mark.parametrize('interval', [None, 10])
@pytest.mark.parametrize('how', ['completed', 'errored', 'failed'])
def test_a_runner_that_assigns_its_jobs_status_ends_as_its_run_did(run, how, interval):
    job = run(declared_status.PeeringJob, how=how, interval=interval)
    assert (job.status, job.data) == (how, {'how': how})
    assert Job.objects.exclude(pk=job.pk).count() == (1 if interval else 0)


@pytest.mark.parametrize('interval', [None, 10])
@pytest.mark.parametrize(
    ('how', 'ending', 'data', 'made'),
    [
        ('well', 'completed', {'result': 'well'}, 1),
        ('early', 'errored', {'reverted': 'too early'}, 0),
        ('late', 'errored', {'reverted': 'too late'}, 0),
    ],
)
def test_a_runner_that_ends_its_job_in_the_transaction_of_its_run(run, how, ending, data, made, interval):
    job = run(atomic_handle.AtomicJob, how=how, interval=interval)
    assert (job.status, job.data, Thing.objects.count()) == (ending, data, made)
    following = Job.objects.exclude(pk=job.pk)
    assert [(found.status, found.predecessor_id) for found in following] == [('scheduled', job.pk)] * bool(interval)


@pytest.mark.parametrize('runner', [atomic_handle.AtomicJob, atomic_handle.LastWordJob, atomic_handle.WrappingJob])
@pytest.mark.parametrize(('how', 'made', 'ending'), [
    ('well', 1, 'completed'), ('cut', 0, 'errored'), ('swallowed', 0, 'errored'),
])  # fmt: skip
def test_a_job_whose_work_was_rolled_back_is_not_completed(run, runner, how, made, ending):
    job = run(runner, how=how)
    assert (Thing.objects.count(), job.status) == (made, ending)
    assert bool(job.error) == (ending == 'errored')


@pytest.mark.parametrize(('how', 'ending'), [('well', 'completed'), ('late', 'errored')])
def test_an_end_that_was_rolled_back_is_none(run, how, ending):
    job = run(atomic_handle.LastWordJob, how=how)
    assert (job.status, Thing.objects.count()) == (ending, int(ending == 'completed'))
    assert ("RuntimeError('too late')" in job.error) == (how == 'late')


@pytest.mark.parametrize(('changes', 'interval'), [(0, 40), (3, 1)])
def test_a_runner_that_moves_its_next_occurrence(run, changes, interval):
    job = run(adaptive_polling.PollingJob, interval=20, changes=changes)
    assert (job.status, job.interval) == ('completed', interval)
    following = adaptive_polling.PollingJob.get_jobs().waiting().get()
    assert following.interval == interval
    assert following.scheduled - job.started == timedelta(minutes=interval) or interval == 1


def test_a_models_save_that_keeps_a_schedule(work):
    thing = Thing.objects.create(name='site')
    first = scheduled_sync.on_save(thing, interval=60)
    again = scheduled_sync.on_save(thing, interval=120)
    assert (again.pk, again.interval, again.queue_name) == (first.pk, 120, 'low')
    work()
    assert (status(first), first.data) == ('completed', {'synced': 'site'})
    assert scheduled_sync.ScheduledSyncJob.get_jobs(thing).waiting().get().queue_name == 'low'
    assert scheduled_sync.on_save(thing, interval=None) is None
    assert not scheduled_sync.ScheduledSyncJob.get_jobs(thing).waiting().exists()

"""Runners that are missing, built by hand, or leave their job in a bad state."""

from unittest.mock import MagicMock

import pytest
from django.db import connection, transaction

from netbox_jobs.core import arguments
from netbox_jobs.jobs import JobRunner
from netbox_jobs.maintenance import recovery
from netbox_jobs.models import Job, Schedule
from tests.app.jobs import (
    Breaking,
    Plain,
    plain_function,
)
from tests.app.models import Thing
from tests.processes import status
from tests.renaming import rename

pytestmark = pytest.mark.django_db(transaction=True)


def test_immediate_in_a_transaction_that_run_has_broken_unsaid_is_an_error():
    with transaction.atomic():
        job = Breaking.enqueue(immediate=True, how='swallowed')
        assert job.status == 'errored'
    assert status(job) == 'errored'
    assert 'rolled back' in job.error


def test_a_runner_that_is_gone_is_given_back_and_then_errored(work, settings):
    job = Plain.enqueue(interval=10)
    rename(job, 'tests.app.jobs.Renamed')
    work()
    assert (status(job), job.releases, job.attempt) == ('scheduled', 1, 0)
    settings.NETBOX_JOBS = {'RUNNER_GRACE': 0}
    again = Job.objects.get(pk=job.pk)
    Job.objects.filter(pk=job.pk).update(due=again.due - 10_000)
    recovery.deliver_due()
    work()
    assert status(job) == 'errored'
    assert 'tests.app.jobs.Renamed cannot be imported' in job.error
    assert 'cannot be imported' in Schedule.objects.get().suspended


def test_arguments_stored_by_another_release_are_left_to_a_worker_of_that(work, settings):
    job = Plain.enqueue(word='x')
    stored = arguments.Stored('pickle2', b'what only that can read', '')
    Job.objects.filter(pk=job.pk).update(
        arguments=stored.payload,
        arguments_format='pickle2',
        arguments_signature=stored.signature(job.job_id, job.runner, ''),
    )
    work()
    assert (status(job), job.releases, job.attempt) == ('scheduled', 1, 0)
    settings.NETBOX_JOBS = {'RUNNER_GRACE': 0}
    Job.objects.filter(pk=job.pk).update(due=0)
    recovery.deliver_due()
    work()
    assert status(job) == 'errored'
    assert "stored as 'pickle2', by another release" in job.error


def test_runners_can_be_built_and_run_by_hand():
    class Direct(JobRunner):
        def run(self, value):
            self.logger.info('with %s', value)
            self.job.data = value

    runner = Direct(MagicMock())
    runner.run(5)
    assert runner.job.data == 5


def test_handle_adopts_rows_made_by_hand_also_ended_ones():
    job = Job.objects.create(name='by hand')
    Plain.handle(job, word='x')
    assert (status(job), job.data) == ('completed', {'word': 'x'})
    Plain.handle(job, word='y')
    assert (status(job), job.data, job.attempt) == ('completed', {'word': 'y'}, 2)


@pytest.mark.parametrize('how', ['open', 'broken', 'swallowed', 'closed'])
def test_what_run_leaves_of_its_connection_does_not_prevent_the_end(work, how):
    job = Breaking.enqueue(how=how)
    work()
    assert status(job) == ('errored' if how == 'broken' else 'completed')
    assert not connection.in_atomic_block
    assert Thing.objects.filter(name='lost').count() == 0


def test_meta_name_is_optional_and_a_property_of_the_class():
    class Unnamed(JobRunner):
        def run(self):
            pass

    class Renamed(Unnamed):
        class Meta:
            name = 'For people'

    assert (Unnamed.name, Renamed.name) == ('Unnamed', 'For people')
    assert Renamed.enqueue(immediate=True).name == 'For people'
    assert Renamed(MagicMock()).name == 'For people'


def test_an_exception_that_cannot_be_shown_is_an_end_too():
    class Unshown(Exception):
        def __repr__(self):
            raise RuntimeError('no repr')

        __str__ = __repr__

    class Raising(JobRunner):
        def run(self):
            raise Unshown

    job = Raising.enqueue(immediate=True)
    assert status(job) == 'errored'
    assert job.error


def test_the_error_that_run_sets_is_kept_by_a_completed_job():
    class Partly(JobRunner):
        def run(self, fail):
            self.job.error = 'half of it'
            if fail:
                raise RuntimeError('all of it')

    assert Partly.enqueue(immediate=True, fail=False).error == 'half of it'
    assert Partly.enqueue(immediate=True, fail=True).error == "RuntimeError('all of it')"


@pytest.mark.parametrize('enqueue', ['handle', 'function'])
def test_immediate_passes_positional_and_keyword_arguments_alike(enqueue):
    target = Plain.handle if enqueue == 'handle' else plain_function
    job = Job.enqueue(target, immediate=True, word='x')
    assert (job.status, job.data) == ('completed', {'word': 'x'})

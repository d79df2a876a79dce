"""`assert_enqueued()` and `captured_jobs()`: what waits, and what a block enqueues."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.test import TestCase
from django.utils import timezone

from netbox_jobs.models import Job
from netbox_jobs.testing import (
    aassert_enqueued,
    aassert_not_enqueued,
    aenqueued_jobs,
    assert_enqueued,
    assert_not_enqueued,
    captured_jobs,
    enqueued_jobs,
    run_jobs,
)
from tests.app.jobs import Plain, Quiet, Talking
from tests.app.models import Thing

pytestmark = pytest.mark.once


def function(job, number=0):
    """Enqueued by itself."""


class Strict(Plain):
    """Takes one argument."""

    class Meta:
        name = 'Strict'

    def run(self, whom='world'):
        pass


class AssertEnqueued(TestCase):
    def test_it_returns_the_job_that_fits(self):
        thing = Thing.objects.create(name='a')
        user = get_user_model().objects.create_user('u')
        moment = timezone.now() + timedelta(hours=1)
        Plain.enqueue(whom='other')
        job = Plain.enqueue(
            instance=thing, user=user, whom='world', flag=True, schedule_at=moment, queue_name='low', interval=60
        )
        self.assertEqual(assert_enqueued(Plain, whom='world').pk, job.pk)
        found = assert_enqueued(
            Plain, instance=thing, user=user, flag=True, schedule_at=moment, queue_name='low', interval=60
        )
        self.assertEqual(found.pk, job.pk)
        self.assertEqual(assert_enqueued(Plain, instance=None, interval=None).get_arguments(), {'whom': 'other'})

    def test_arguments_that_are_model_objects_are_compared(self):
        one, other = Thing.objects.create(name='one'), Thing.objects.create(name='other')
        Plain.enqueue(thing=one)
        assert_enqueued(Plain, thing=one)
        assert_not_enqueued(Plain, thing=other)

    def test_true_is_not_one(self):
        Plain.enqueue(count=1)
        assert_not_enqueued(Plain, count=True)

    def test_a_timedelta_is_from_now(self):
        Plain.enqueue(schedule_at=timezone.now() + timedelta(hours=1))
        assert_enqueued(Plain, schedule_at=timedelta(hours=1))
        assert_not_enqueued(Plain, schedule_at=timedelta(hours=1, seconds=20))
        assert_not_enqueued(Quiet, schedule_at=timedelta(hours=1))

    def test_the_message_shows_what_waits_instead_and_how_it_differs(self):
        thing = Thing.objects.create(name='a')
        near = Plain.enqueue(whom='wrold', instance=thing)
        other = Quiet.enqueue(number=3, queue_name='low')
        Plain.enqueue(immediate=True)
        with self.assertRaises(AssertionError) as caught:
            assert_enqueued(Plain, instance=thing, whom='world', loud=True)
        message = str(caught.exception)
        self.assertIn(f'tests.app.jobs.Plain(instance=<testapp.Thing {thing.pk}>, whom=', message)
        self.assertIn(f"{near.pk} (pending, queue default) tests.app.jobs.Plain(whom='wrold', ", message)
        self.assertIn(": whom='wrold', loud is omitted", message)
        self.assertIn(f'{other.pk} (pending, queue low) tests.app.jobs.Quiet(number=3)', message)
        self.assertIn('Jobs of this runner that no longer wait', message)
        self.assertIn('(completed, queue default)', message)

    def test_the_message_says_that_nothing_waits(self):
        with self.assertRaisesRegex(AssertionError, 'No job waits at all.*captureOnCommitCallbacks'):
            assert_enqueued(Plain)

    def test_a_job_that_has_run_is_not_enqueued(self):
        Plain.enqueue()
        assert_enqueued(Plain)
        run_jobs()
        assert_not_enqueued(Plain)

    def test_what_was_not_expected_is_shown(self):
        Plain.enqueue(whom='world')
        assert_not_enqueued(Plain, whom='you')
        assert_not_enqueued(Talking)
        with self.assertRaisesRegex(AssertionError, r"was expected; found:\n  \d+ .*Plain\(whom='world'\)"):
            assert_not_enqueued(Plain)

    def test_a_misspelt_argument_is_an_error_and_no_mismatch(self):
        with self.assertRaisesRegex(TypeError, "unexpected keyword 'whon'.*'whom'"):
            assert_not_enqueued(Strict, whon='world')

    def test_an_option_that_no_column_holds_is_refused(self):
        with self.assertRaisesRegex(TypeError, "'max_retries'.*returns the job"):
            assert_enqueued(Plain, max_retries=3)

    def test_functions_are_found_too(self):
        job = Job.enqueue(function, number=3)
        self.assertEqual(assert_enqueued(function, number=3).pk, job.pk)

    async def test_asynchronous_tests_await_it(self):
        await Plain.aenqueue(whom='world')
        await aassert_enqueued(Plain, whom='world')
        await aassert_not_enqueued(Plain, whom='you')


class EnqueuedJobs(TestCase):
    def test_it_lists_what_waits(self):
        self.assertEqual(enqueued_jobs(), [])
        first, other, second = Plain.enqueue(whom='you'), Quiet.enqueue(), Plain.enqueue(whom='me', queue_name='low')
        Plain.enqueue(immediate=True)
        self.assertEqual(enqueued_jobs(), [first, other, second])
        self.assertEqual(enqueued_jobs(Plain), [first, second])
        self.assertEqual(enqueued_jobs(Plain, whom='me'), [second])
        self.assertEqual(enqueued_jobs(queue_name='low'), [second])
        with self.assertRaisesRegex(TypeError, "unexpected keyword 'whon'"):
            enqueued_jobs(Strict, whon='world')
        run_jobs()
        self.assertEqual(enqueued_jobs(), [])

    async def test_asynchronous_tests_await_it(self):
        job = await Plain.aenqueue()
        self.assertEqual(await aenqueued_jobs(Plain), [job])


class CapturedJobs(TestCase):
    def test_it_holds_what_the_block_has_enqueued(self):
        Plain.enqueue(name='before')
        with captured_jobs() as jobs:
            Plain.enqueue(name='one')
            Plain.enqueue_many([{'name': 'two'}, {'name': 'three'}])
            Plain.enqueue(name='ran', immediate=True)
        Plain.enqueue(name='after')
        self.assertEqual([job.name for job in jobs], ['one', 'two', 'three', 'ran'])
        self.assertEqual(jobs[-1].status, 'completed')

    def test_a_job_that_was_found_waiting_is_not_new(self):
        with captured_jobs() as jobs:
            Plain.enqueue_once(interval=60)
        self.assertEqual(len(jobs), 1)
        with captured_jobs() as jobs:
            Plain.enqueue_once(interval=5)
        self.assertEqual(jobs, [])

    async def test_asynchronous_tests_use_async_with(self):
        async with captured_jobs() as jobs:
            await Plain.aenqueue(name='one')
        self.assertEqual([job.name for job in jobs], ['one'])


@pytest.mark.django_db(transaction=True)
def test_it_works_with_committed_jobs():
    with captured_jobs() as jobs:
        Plain.enqueue(whom='world')
    assert len(jobs) == 1
    assert assert_enqueued(Plain, whom='world').pk == jobs[0].pk

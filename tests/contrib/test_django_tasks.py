"""Django's tasks on our engine: what every backend of `django.tasks` promises."""

import asyncio
import pickle
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from django.test import TestCase, TransactionTestCase, override_settings
from django.utils import timezone

from netbox_jobs.contrib.django_tasks import NetBoxJobsBackend
from netbox_jobs.contrib.django_tasks.api import api_of
from netbox_jobs.models import Job
from netbox_jobs.testing import arun_jobs, run_jobs
from tests.app import tasks

pytestmark = pytest.mark.once

API = api_of(tasks.add)
READY, RUNNING, SUCCESSFUL, FAILED = (API.status[name] for name in ('READY', 'RUNNING', 'SUCCESSFUL', 'FAILED'))
Mismatch = __import__(API.result_missing.__module__, fromlist=['']).TaskResultMismatch
LOGGER = API.signals.logger.name


def run() -> None:
    run_jobs(raise_errors=False)


class EnqueueTests(TestCase):
    def test_the_backend_of_the_setting_is_ours_and_supports_everything(self):
        backend = API.backends['default']
        self.assertIsInstance(backend, NetBoxJobsBackend)
        self.assertEqual((backend.alias, backend.options), ('default', {}))
        self.assertTrue(backend.supports_defer and backend.supports_async_task)
        self.assertTrue(backend.supports_get_result and backend.supports_priority)

    def test_an_enqueued_task_is_ready(self):
        for task in (tasks.nothing, tasks.waiting):
            result = task.enqueue(1, two=3)
            self.assertEqual((result.status, result.is_finished, result.attempts), (READY, False, 0))
            self.assertEqual((result.started_at, result.last_attempted_at, result.finished_at), (None, None, None))
            self.assertEqual((result.task, result.args, result.kwargs), (task, [1], {'two': 3}))
            self.assertEqual((result.backend, result.errors, result.worker_ids), ('default', [], []))
            self.assertLessEqual(abs(timezone.now() - result.enqueued_at), timedelta(minutes=1))
            with self.assertRaisesMessage(ValueError, 'Task has not finished yet'):
                _ = result.return_value

    def test_arguments_are_json(self):
        result = tasks.nothing.enqueue((1, 2), b'text', key={'a': (1,)})
        self.assertEqual((result.args, result.kwargs), ([[1, 2], 'text'], {'key': {'a': [1]}}))
        with self.assertRaisesMessage(TypeError, 'Unsupported type'):
            tasks.nothing.enqueue(datetime.now())
        self.assertEqual(Job.objects.count(), 1)

    def test_arguments_may_have_any_names(self):
        names = {'args': 1, 'kwargs': 2, 'job': 3, 'using': 4, 'name': 'x', 'instance': 5, 'queue_name': 6}
        result = tasks.nothing.enqueue(**names)
        run()
        result.refresh()
        self.assertEqual((result.status, result.kwargs), (SUCCESSFUL, names))

    def test_using_makes_a_changed_copy(self):
        now = timezone.now()
        later = tasks.nothing.using(run_after=now).using(priority=10, queue_name='default')
        self.assertEqual((later.run_after, later.priority), (now, 10))
        self.assertEqual((tasks.nothing.run_after, tasks.nothing.priority), (None, 0))
        self.assertEqual(tasks.nothing.using(), tasks.nothing)

    def test_run_after_is_when_the_job_is_due(self):
        later = timezone.now() + timedelta(hours=3)
        result = tasks.add.using(run_after=later).enqueue(1, 2)
        run()
        result.refresh()
        self.assertEqual(result.status, READY)
        run_jobs(until=timedelta(hours=4))
        result.refresh()
        self.assertEqual((result.return_value, result.task.run_after), (3, later))

    def test_what_is_wrong_with_a_task_is_refused(self):
        wrong = [
            ({'run_after': datetime(2030, 1, 1)}, 'run_after must be an aware datetime'),
            ({'priority': 101}, 'priority must be a whole number'),
            ({'priority': 1.5}, 'priority must be a whole number'),
            ({'queue_name': 'nowhere'}, "Queue 'nowhere' is not valid for backend"),
        ]
        for options, message in wrong:
            with self.assertRaisesMessage(API.invalid_task, message):
                tasks.nothing.using(**options)
        with self.assertRaisesMessage(API.invalid_task, 'must be defined at a module level'):
            type(tasks.nothing)(func=lambda: None)
        with self.assertRaisesMessage(API.invalid_task, "first argument of 'context'"):
            type(tasks.nothing)(func=tasks.add.func, takes_context=True)

    def test_a_task_is_checked_when_it_is_enqueued(self):
        task = tasks.nothing.using(queue_name='low')
        backend = f'{NetBoxJobsBackend.__module__}.NetBoxJobsBackend'
        with override_settings(TASKS={'default': {'BACKEND': backend, 'QUEUES': ['default']}}):
            with self.assertRaisesMessage(API.invalid_task, "Queue 'low' is not valid for backend"):
                task.enqueue()
            with self.assertRaisesMessage(API.invalid_task, "Queue 'low' is not valid for backend"):
                asyncio.run(task.aenqueue())

    if API.task.__module__ != 'django_tasks.base':  # whose tasks cannot be pickled

        def test_task_and_result_can_be_pickled(self):
            self.assertEqual(pickle.loads(pickle.dumps(tasks.add)), tasks.add)
            result = tasks.add.enqueue(1, 2)
            self.assertEqual(pickle.loads(pickle.dumps(result)), result)

    def test_a_task_can_be_called(self):
        self.assertEqual(tasks.add.call(1, 2), 3)
        self.assertEqual(tasks.waiting.call(1), [1])


class ResultTests(TestCase):
    def test_get_result_equals_what_enqueue_returned(self):
        later = timezone.now() + timedelta(hours=3)
        for task in (tasks.nothing, tasks.placed.using(backend='eager', priority=60), tasks.nothing.using(priority=-7),
                     tasks.nothing.using(run_after=later, queue_name='low')):  # fmt: skip
            result = task.enqueue(1) if task.name == 'nothing' else task.enqueue()
            self.assertEqual(task.get_result(result.id), result)
            self.assertEqual(API.backends['default'].get_result(result.id), result)

    def test_there_is_no_result_of_what_is_no_task(self):
        job = Job.enqueue(some_function)
        for missing in ('123', str(uuid4()), str(job.job_id)):
            with self.assertRaisesMessage(API.result_missing, missing):
                tasks.nothing.get_result(missing)
        result = tasks.add.enqueue(1, 2)
        with self.assertRaisesMessage(Mismatch, 'Task does not match'):
            tasks.nothing.get_result(result.id)
        Job.objects.all().delete()
        with self.assertRaises(API.result_missing):
            result.refresh()

    def test_a_result_is_refreshed(self):
        result = tasks.add.enqueue(20, right=22)
        run()
        self.assertEqual((result.status, result.attempts), (READY, 0))
        result.refresh()
        self.assertEqual((result.status, result.return_value, result.attempts), (SUCCESSFUL, 42, 1))
        self.assertTrue(result.is_finished and result.enqueued_at <= result.started_at <= result.finished_at)
        self.assertEqual(result.last_attempted_at, result.started_at)
        self.assertEqual(len(result.worker_ids[0]), 32)

    def test_what_a_task_returns_is_json(self):
        for value in (None, 0, '', [], {'a': [1, 2.5, None]}, 'x' * 10_000):
            result = tasks.echo.enqueue(value)
            run()
            result.refresh()
            self.assertEqual(result.return_value, value)

    def test_the_error_of_a_task_is_kept(self):
        for task, kind, end in (
            (tasks.fail, ValueError, 'ValueError: no route\n'),
            (tasks.fail_async, LookupError, 'LookupError: nowhere\n'),
            (tasks.leave, SystemExit, 'SystemExit: I leave\n'),
            (tasks.nest, ValueError, 'ValueError: within\n'),
        ):
            result = task.enqueue()
            run()
            result.refresh()
            self.assertEqual((result.status, result.is_finished, result.attempts), (FAILED, True, 1))
            (error,) = result.errors
            self.assertIs(error.exception_class, kind)
            self.assertTrue(error.traceback.startswith('Traceback'), error.traceback)
            self.assertTrue(error.traceback.endswith(end), error.traceback)
            self.assertNotIn('netbox_jobs', error.traceback)
            with self.assertRaisesMessage(ValueError, 'Task failed'):
                _ = result.return_value

    def test_what_cannot_be_stored_is_an_error(self):
        result = tasks.unstorable.enqueue()
        run()
        result.refresh()
        self.assertEqual((result.status, result.errors[0].exception_class), (FAILED, TypeError))
        self.assertIn('Unsupported type', result.errors[0].traceback)

    def test_a_coroutine_function_is_awaited(self):
        result = tasks.waiting.enqueue(1, 2)
        run()
        result.refresh()
        self.assertEqual(result.return_value, [1, 2])

    def test_a_task_receives_its_context(self):
        result = tasks.attempt_of.enqueue(1)
        run()
        result.refresh()
        self.assertEqual(result.return_value, {'id': result.id, 'status': 'RUNNING'})


class SignalTests(TestCase):
    def setUp(self):
        self.received: list[tuple] = []
        for name in ('task_enqueued', 'task_started', 'task_finished'):
            signal = getattr(API.signals, name)

            def receive(sender, task_result, name=name, **kwargs):
                self.received.append((name, sender, task_result.id, task_result.status, task_result.attempts))

            signal.connect(receive, weak=False, dispatch_uid=self)
            self.addCleanup(signal.disconnect, dispatch_uid=self)

    def test_each_signal_is_sent_once_with_the_result_of_that_moment(self):
        result = tasks.add.enqueue(1, 2)
        run()
        self.assertEqual(
            self.received,
            [
                ('task_enqueued', NetBoxJobsBackend, result.id, READY, 0),
                ('task_started', NetBoxJobsBackend, result.id, RUNNING, 1),
                ('task_finished', NetBoxJobsBackend, result.id, SUCCESSFUL, 1),
            ],
        )

    def test_a_job_that_is_no_task_sends_none(self):
        Job.enqueue(some_function)
        run()
        self.assertEqual(self.received, [])

    def test_a_canceled_task_has_failed(self):
        result = tasks.add.enqueue(1, 2)
        with self.captureOnCommitCallbacks(execute=True):
            Job.objects.get().cancel()
        self.assertEqual(self.received[-1], ('task_finished', NetBoxJobsBackend, result.id, FAILED, 0))
        result.refresh()
        self.assertEqual((result.status, len(result.errors)), (FAILED, 1))
        self.assertEqual(result.errors[0].exception_class.__name__, 'JobCanceled')

    def test_a_receiver_that_raises_is_logged_and_changes_nothing(self):
        def explode(**kwargs):
            raise RuntimeError('receiver')

        for name in ('task_enqueued', 'task_finished'):
            getattr(API.signals, name).connect(explode, weak=False, dispatch_uid='explode')
            self.addCleanup(getattr(API.signals, name).disconnect, dispatch_uid='explode')
        with self.assertLogs('netbox_jobs', 'ERROR') as captured:
            result = tasks.add.enqueue(1, 2)
            run()
        result.refresh()
        self.assertEqual((result.status, len(captured.output)), (SUCCESSFUL, 2))

    def test_the_log_has_the_error(self):
        with self.assertLogs(LOGGER, 'DEBUG') as captured:
            tasks.fail.enqueue()
            run()
        enqueued, started, finished = captured.output
        self.assertIn('enqueued', enqueued)
        self.assertIn('state=RUNNING', started)
        self.assertIn('state=FAILED', finished)
        self.assertIn('ValueError: no route', finished)


class AsyncTests(TransactionTestCase):
    async def test_everything_has_an_asynchronous_form(self):
        result = await tasks.waiting.aenqueue(1)
        self.assertEqual(await tasks.waiting.aget_result(result.id), result)
        await arun_jobs()
        await result.arefresh()
        self.assertEqual(result.return_value, [1])
        self.assertEqual(await API.backends['default'].aget_result(result.id), result)
        with self.assertRaises(Mismatch):
            await tasks.nothing.aget_result(result.id)
        with self.assertRaises(API.result_missing):
            await tasks.waiting.aget_result('123')
        with self.assertRaisesMessage(TypeError, 'Unsupported type'):
            await tasks.waiting.aenqueue(datetime.now())


def some_function(job: Job) -> None:
    """Be no task."""


@pytest.mark.parametrize('size', [10, 100_000])
def test_the_end_of_a_long_traceback_is_kept(db, size):
    result = tasks.fail.enqueue('x' * size)
    run()
    result.refresh()
    assert len(result.errors[0].traceback) <= 50_000
    assert result.errors[0].traceback.endswith('xxx\n')

"""Django's tasks on our engine: what they have because each is a job."""

import os
import subprocess
import sys
from datetime import timedelta
from importlib import import_module

import pytest
from django.contrib.auth import get_user_model
from django.core import checks
from django.db import transaction
from django.test import TestCase, TransactionTestCase, override_settings
from django.utils import timezone

from netbox_jobs.contrib.django_tasks import NetBoxJobsBackend, priorities
from netbox_jobs.contrib.django_tasks.api import api_of
from netbox_jobs.exceptions import ArgumentsRefused
from netbox_jobs.models import Job
from netbox_jobs.testing import assert_enqueued, run_jobs
from tests.app import tasks
from tests.app.models import Thing, Trace
from tests.processes import status, wait_for

pytestmark = pytest.mark.once

API = api_of(tasks.add)
READY, SUCCESSFUL, FAILED = (API.status[name] for name in ('READY', 'SUCCESSFUL', 'FAILED'))
PATH = 'netbox_jobs.contrib.django_tasks.NetBoxJobsBackend'


def job_of(result) -> Job:
    return Job.objects.get(job_id=result.id)


class RowTests(TestCase):
    def test_a_task_is_a_job_under_its_own_path(self):
        result = tasks.add.enqueue(1, right=2)
        job = job_of(result)
        self.assertEqual((job.name, job.runner), ('add', 'tests.app.tasks.add'))
        self.assertEqual((job.queue_name, job.status), ('default', 'pending'))
        self.assertEqual(job.arguments_shown, "args=[1]\nkwargs={'right': 2}")
        self.assertEqual(assert_enqueued(tasks.add, args=[1], kwargs={'right': 2}), job)
        run_jobs()
        job.refresh_from_db()
        self.assertEqual(
            job.data, {'return_value': 3, 'worker_ids': API.backends['default'].get_result(result.id).worker_ids}
        )

    def test_a_rollback_takes_the_task_back(self):
        with self.assertRaises(ZeroDivisionError), transaction.atomic():
            result = tasks.add.enqueue(1, 2)
            raise ZeroDivisionError
        with self.assertRaises(API.result_missing):
            result.refresh()

    def test_what_a_task_stores_itself_stays_in_its_data(self):
        result = tasks.remember.enqueue()
        (job,) = run_jobs()
        result.refresh()
        self.assertEqual((result.return_value, job.data['found']), ('done', 3))

    def test_an_error_is_on_the_page_and_in_the_log_of_the_job(self):
        tasks.fail.enqueue()
        (job,) = run_jobs(raise_errors=False)
        self.assertEqual((job.status, job.error), ('errored', "ValueError('no route')"))
        self.assertIn('ValueError: no route', job.log_entries[0]['message'])

    def test_job_failed_in_a_task_is_an_expected_failure(self):
        result = tasks.refuse.enqueue()
        (job,) = run_jobs(raise_errors=False)
        result.refresh()
        self.assertEqual((job.status, job.error, result.status), ('failed', 'The remote side said no.', FAILED))

    def test_a_task_can_be_retried_from_its_page(self):
        tasks.add.using(priority=3).enqueue(1, 2)
        (job,) = run_jobs()
        again = job.retry()
        self.assertEqual(again.queue_name, 'high')
        run_jobs()
        result = tasks.add.get_result(str(again.job_id))
        self.assertEqual((result.return_value, result.task.priority, result.task.queue_name), (3, 3, 'default'))

    def test_changed_arguments_are_refused(self):
        result = tasks.add.enqueue(1, 2)
        Job.objects.update(arguments=b'cposix\nsystem\n.')
        with self.assertRaises(ArgumentsRefused):
            result.refresh()
        run_jobs(raise_errors=False)
        self.assertEqual(job_of(result).status, 'errored')

    def test_a_task_that_a_worker_could_not_find_is_refused(self):
        with self.assertRaisesMessage(API.invalid_task, 'tests.app.tasks._hidden is not this task'):
            tasks.renamed.enqueue(1, 2)
        self.assertFalse(Job.objects.exists())


class OptionTests(TestCase):
    def test_a_failed_attempt_is_retried(self):
        result = tasks.recover.enqueue()
        run_jobs(until=timedelta(minutes=1))
        result.refresh()
        self.assertEqual((result.status, result.return_value, result.attempts), (SUCCESSFUL, 3, 3))
        self.assertEqual([error.exception_class for error in result.errors], [ConnectionError] * 2)
        self.assertIn('attempt 2', result.errors[1].traceback)
        self.assertLess(result.started_at, result.last_attempted_at)
        self.assertEqual(len(result.worker_ids), 3)

    def test_options_of_a_call_and_of_the_backend(self):
        result = tasks.fail.using(max_retries=2, retry_backoff=0).enqueue()
        run_jobs(until=timedelta(minutes=1), raise_errors=False)
        result.refresh()
        self.assertEqual((result.status, result.attempts, len(result.errors)), (FAILED, 3, 3))
        result = tasks.fail.using(backend='eager').enqueue()
        run_jobs(until=timedelta(minutes=1), raise_errors=False)
        result.refresh()
        self.assertEqual((result.status, result.attempts), (FAILED, 2))

    def test_a_waiting_task_is_ready_between_two_attempts(self):
        result = tasks.fail.using(max_retries=1, retry_backoff=600).enqueue()
        run_jobs(raise_errors=False)
        result.refresh()
        self.assertEqual((result.status, result.attempts, len(result.errors)), (READY, 1, 1))
        self.assertIsNotNone(result.last_attempted_at)

    def test_a_unique_task_waits_once(self):
        first, second = tasks.only_once.enqueue(1), tasks.only_once.enqueue(2)
        self.assertEqual((first.id, second.args), (second.id, [2]))
        run_jobs()
        second.refresh()
        self.assertEqual(second.return_value, 2)
        self.assertNotEqual(tasks.only_once.enqueue(3).id, first.id)
        about = [tasks.only_once.using(instance=thing) for thing in (Thing.objects.create(), Thing.objects.create())]
        self.assertEqual(len({task.enqueue(1).id for task in (*about, *about)}), 2)

    def test_a_task_has_an_object_and_a_user_and_a_time_limit(self):
        thing, user = Thing.objects.create(name='a'), get_user_model().objects.create_user('u')
        result = tasks.add.using(instance=thing, user=user, job_timeout='2m', notifications='never').enqueue(1, 2)
        job = job_of(result)
        self.assertEqual((job.object, job.user, job.job_timeout, job.notifications), (thing, user, 120, 'never'))
        self.assertEqual(tasks.add.get_result(result.id), result)

    def test_a_wrong_option_is_refused_and_nothing_is_written(self):
        for options in ({'max_retries': -1}, {'retry_backoff': 'soon'}, {'retry_on': int}):
            with self.assertRaisesMessage(API.invalid_task, next(iter(options))):
                tasks.add.using(**options)
        with self.assertRaisesMessage(API.invalid_task, 'job_timeout'):
            tasks.add.using(job_timeout='soon').enqueue(1, 2)
        with self.assertRaisesMessage(API.invalid_task, "no queue 'nowhere'"):
            tasks.add.using(backend='eager', queue_name='nowhere').enqueue(1, 2)
        with self.assertRaises(TypeError):
            tasks.add.using(max_retires=1)
        self.assertFalse(Job.objects.exists())


class PriorityTests(TestCase):
    def test_the_priority_decides_the_queue(self):
        for priority, queue_name in ((-100, 'low'), (-1, 'low'), (0, 'default'), (1, 'high'), (100, 'high')):
            result = tasks.add.using(priority=priority).enqueue(1, 2)
            self.assertEqual(job_of(result).queue_name, queue_name)
            self.assertEqual((result.task.priority, result.task.queue_name), (priority, 'default'))

    def test_a_higher_priority_runs_first(self):
        given = [0, -5, 5]
        results = {priority: tasks.echo.using(priority=priority).enqueue(priority) for priority in given}
        self.assertEqual([job.data['return_value'] for job in run_jobs()], [5, 0, -5])
        self.assertEqual(results[5].task.priority, 5)

    def test_in_a_queue_without_levels_the_priority_is_that_of_the_job(self):
        for priority, expected in ((-100, 0), (-21, 3), (-1, 4), (0, 5), (1, 6), (70, 8), (100, 9)):
            job = job_of(tasks.placed.using(priority=priority).enqueue())
            self.assertEqual((job.priority, job.queue_name), (expected, tasks.placed.queue_name))
        result = tasks.placed.using(backend='eager', priority=70).enqueue()
        self.assertEqual(job_of(result).queue_name, 'high')
        self.assertIsNone(priorities.queue_for({'PRIORITY_QUEUES': {'a': {0: 'b', 9: 'c'}}}, 'a', -1))


class CheckTests(TestCase):
    def problems(self, **params) -> list[str]:
        with override_settings(TASKS={'default': {'BACKEND': PATH, **params}}):
            return [message.msg for message in API.backends['default'].check()]

    def test_the_settings_of_the_tests_are_right(self):
        self.assertEqual([message for backend in API.backends.all() for message in backend.check()], [])

    def test_wrong_settings_are_reported(self):
        for params, expected in (
            ({'QUEUES': ['nowhere']}, "QUEUES: There is no queue 'nowhere'"),
            ({'OPTIONS': {'max_retires': 3}}, "OPTIONS has 'max_retires'"),
            ({'OPTIONS': {'max_retries': -3}}, 'OPTIONS: max_retries is -3'),
            ({'OPTIONS': {'PRIORITY_QUEUES': ['high']}}, 'PRIORITY_QUEUES is'),
            ({'OPTIONS': {'PRIORITY_QUEUES': {'default': {101: 'high'}}}}, 'the priority 101'),
            ({'OPTIONS': {'PRIORITY_QUEUES': {'default': {1: 'nowhere'}}}}, "no queue 'nowhere'"),
        ):
            (message,) = self.problems(**params)
            self.assertIn(expected, message)

    def test_django_runs_these_checks(self):
        with override_settings(TASKS={'default': {'BACKEND': PATH, 'QUEUES': ['nowhere']}}):
            self.assertIn('netbox_jobs.E009', [message.id for message in checks.run_checks()])


class InlineTests(TransactionTestCase):
    @override_settings(RQ_QUEUES={name: {'URL': 'redis://127.0.0.1:0', 'ASYNC': False} for name in ('default', 'high')})
    def test_a_queue_with_async_false_runs_the_task_before_enqueue_returns(self):
        result = tasks.add.enqueue(1, 2)
        self.assertEqual((result.status, result.return_value), (SUCCESSFUL, 3))
        with transaction.atomic():
            result = tasks.add.enqueue(1, 2)
            self.assertEqual(result.status, READY)
        result.refresh()
        self.assertEqual(result.return_value, 3)


@pytest.mark.django_db
def test_the_package_and_django_share_one_setting(monkeypatch):
    package = pytest.importorskip('django_tasks')
    module = import_module('netbox_jobs.contrib.django_tasks.of_package')
    assert type(package.task_backends['default']) is module.NetBoxJobsBackend
    assert isinstance(API.backends['default'], NetBoxJobsBackend)
    task = package.task()(of_package)
    monkeypatch.setattr(import_module(__name__), 'of_package', task)
    result = task.enqueue(1)
    run_jobs()
    result.refresh()
    assert (result.return_value, type(result)) == (1, package.TaskResult)
    if package.TaskResult is not API.result:  # each backend knows its own tasks
        with pytest.raises(API.result_missing):
            API.backends['default'].get_result(result.id)


def of_package(value):
    return value


@pytest.mark.process
@pytest.mark.django_db(transaction=True)
def test_a_real_worker_runs_tasks_and_accounts_for_those_it_kills(start_worker):
    start_worker()
    added, killed, again = tasks.add.enqueue(1, 2), tasks.crash.enqueue(), tasks.crash_once.enqueue()
    for result in (added, killed, again):
        job = job_of(result)
        wait_for(lambda job=job: status(job) in ('completed', 'errored'))
        wait_for(lambda job=job: Trace.objects.filter(job_pk=job.pk, what__startswith='task ').exists())
        result.refresh()
    assert (added.return_value, added.attempts) == (3, 1)
    assert (killed.status, killed.attempts, killed.worker_ids) == (FAILED, 1, [''])
    assert 'killed by signal 9' in killed.errors[0].traceback
    assert (again.return_value, again.attempts, len(again.errors)) == (2, 2, 1)
    assert 'killed by signal 9' in again.errors[0].traceback
    ends = {trace.job_pk: (trace.what, trace.pid) for trace in Trace.objects.filter(what__startswith='task ')}
    assert [ends[job_of(result).pk][0] for result in (added, killed, again)] == [
        'task SUCCESSFUL', 'task FAILED', 'task SUCCESSFUL',
    ]  # fmt: skip
    assert os.getpid() not in {pid for _, pid in ends.values()}
    assert timezone.now() > added.finished_at


@pytest.mark.process
@pytest.mark.once
def test_every_process_of_the_project_announces_the_ends_of_tasks():
    code = "import django, sys; django.setup(); print('netbox_jobs.contrib.django_tasks' in sys.modules)"
    environment = {**os.environ, 'DJANGO_SETTINGS_MODULE': 'tests.settings'}
    done = subprocess.run([sys.executable, '-c', code], env=environment, capture_output=True, text=True, timeout=150)
    assert done.stdout.strip() == 'True', done.stderr

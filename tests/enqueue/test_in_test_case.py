"""`enqueue()` in a `TestCase`, as plugins test."""

import pytest
from django.db import connection
from django.test import TestCase, override_settings
from rq import SimpleWorker

from netbox_jobs.broker import delivery
from netbox_jobs.choices import JobStatusChoices
from netbox_jobs.exceptions import JobFailed
from netbox_jobs.jobs import JobRunner
from netbox_jobs.models import Job
from tests.app.jobs import (
    Breaking,
    Erring,
    Plain,
    Talking,
)
from tests.app.models import Thing
from tests.enqueue.delivered import ids_in_rq
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)


class InATestCaseTest(TestCase):
    """As plugins test: within a transaction."""

    def test_immediate(self):
        job = Talking.enqueue(immediate=True)
        self.assertEqual(job.status, JobStatusChoices.STATUS_COMPLETED)
        self.assertEqual(job.log_entries[0]['message'], 'line 1 of 4')

    def test_immediate_that_breaks_the_transaction_leaves_it_usable(self):
        class Broken(JobRunner):
            def run(self):
                Thing.objects.create(name='kept?')
                with connection.cursor() as cursor:
                    cursor.execute('SELECT nonsense FROM nowhere')

        job = Broken.enqueue(immediate=True)
        self.assertEqual(status(job), 'errored')
        self.assertIn('nowhere', job.error)
        self.assertEqual(Job.objects.count(), 1)

    def test_immediate_that_hides_a_broken_transaction_leaves_it_usable(self):
        job = Breaking.enqueue(immediate=True, how='swallowed')
        self.assertIn(status(job), JobStatusChoices.TERMINAL_STATE_CHOICES)
        Thing.objects.create(name='after')
        self.assertEqual([thing.name for thing in Thing.objects.all()], ['after'])

    def test_immediate_that_fails_keeps_what_it_has_written(self):
        class Writing(JobRunner):
            def run(self):
                Thing.objects.create(name='kept')
                raise JobFailed('after writing')

        Writing.enqueue(immediate=True)
        self.assertTrue(Thing.objects.filter(name='kept').exists())

    def test_jobs_are_delivered_when_commit_callbacks_run(self):
        with self.captureOnCommitCallbacks(execute=True):
            job = Plain.enqueue()
            self.assertEqual(ids_in_rq(), [])
        self.assertEqual(ids_in_rq(), [str(job.job_id)])

    def test_a_plugin_may_run_the_worker_within_its_test(self):
        with self.captureOnCommitCallbacks(execute=True):
            good, bad = Plain.enqueue(word='x'), Erring.enqueue()
        SimpleWorker([delivery.queue('default')], connection=delivery.queue('default').connection).work(burst=True)
        self.assertEqual((status(good), good.data), ('completed', {'word': 'x'}))
        self.assertEqual(status(bad), 'errored')

    def test_async_false_runs_inline_when_commit_callbacks_run(self):
        config = {'default': {'HOST': '127.0.0.1', 'PORT': 1, 'DB': 0, 'ASYNC': False}}
        with override_settings(RQ_QUEUES=config), self.captureOnCommitCallbacks(execute=True):
            job = Plain.enqueue()
        self.assertEqual(status(job), 'completed')

"""`run_jobs()`: what waits runs in the test's process, by the code with which a worker runs it."""

import logging
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from django.test import TestCase, TransactionTestCase
from django.utils import timezone
from redis import Redis

from netbox_jobs.choices import JobStatusChoices
from netbox_jobs.exceptions import JobFailed, UnknownQueue
from netbox_jobs.jobs import Job, JobRunner
from netbox_jobs.models import PausedQueue
from netbox_jobs.signals import job_end, job_start
from netbox_jobs.testing import arun_jobs, run_jobs
from netbox_jobs.testing import travel as travelling
from tests.app.jobs import Erring, Failing, Plain


class Noting(JobRunner):
    """Notes when it ran."""

    moments: list[datetime] = []

    def run(self, **kwargs):
        self.moments.append(timezone.now())


class Flaky(JobRunner):
    """Succeeds at the third attempt."""

    class Meta:
        max_retries = 5
        retry_backoff = [60, 600]

    def run(self):
        if self.job.attempt < 3:
            raise ConnectionError(f'attempt {self.job.attempt}')
        self.job.data = {'at': timezone.now().isoformat()}


class Repeating(JobRunner):
    """Enqueues itself, for ever."""

    def run(self):
        type(self).enqueue()


class Following(JobRunner):
    """Enqueues another job once what it has done is committed."""

    def run(self):
        with transaction.atomic():
            transaction.on_commit(lambda: Plain.enqueue(name='followed'))


class Coroutine(JobRunner):
    async def run(self):
        self.job.data = {'ran': True}


@pytest.fixture(autouse=True)
def no_redis(monkeypatch):
    """Nothing here asks Redis."""

    def refuse(*args, **kwargs):
        raise AssertionError('Redis was asked.')

    monkeypatch.setattr(Redis, 'execute_command', refuse)
    monkeypatch.setattr(Redis, 'pipeline', refuse)


@pytest.fixture(autouse=True)
def clean_redis():
    """Not here."""


class WithinTestCase(TestCase):
    """The transaction of a `TestCase` never commits."""

    def setUp(self):
        Noting.moments = []

    def heard(self, signal):
        found = []

        def receive(sender, **kwargs):
            found.append((sender.pk, sender.status))

        signal.connect(receive)
        self.addCleanup(signal.disconnect, receive)
        return found

    def test_jobs_run_in_the_order_of_a_worker_and_are_returned(self):
        low = Plain.enqueue(queue_name='low')
        first, second = Plain.enqueue(), Plain.enqueue(whom='world')
        front = Plain.enqueue(at_front=True)
        high = Plain.enqueue(queue_name='high')
        ran = run_jobs()
        self.assertEqual([job.pk for job in ran], [job.pk for job in (high, front, first, second, low)])
        self.assertEqual({job.status for job in ran}, {JobStatusChoices.STATUS_COMPLETED})
        self.assertEqual(ran[3].data, {'whom': 'world'})
        self.assertEqual((ran[0].attempt, ran[0].deliveries), (1, 1))
        self.assertEqual(run_jobs(), [])

    def test_signals_are_sent_with_the_status_that_they_announce(self):
        started, ended = self.heard(job_start), self.heard(job_end)
        job = Plain.enqueue()
        run_jobs()
        self.assertEqual((started, ended), ([(job.pk, 'running')], [(job.pk, 'completed')]))

    def test_callbacks_of_a_block_around_it_are_called_once(self):
        ended = self.heard(job_end)
        called = []
        with self.captureOnCommitCallbacks(execute=True):
            transaction.on_commit(lambda: called.append(1))
            Plain.enqueue()
            run_jobs()
            self.assertEqual(called, [])
        self.assertEqual((len(ended), called), (1, [1]))

    def test_what_a_job_enqueues_runs_too_also_from_on_commit(self):
        Following.enqueue()
        self.assertEqual([job.name for job in run_jobs()], ['Following', 'followed'])

    def test_jobs_that_depend_on_others_run_after_them(self):
        first = Plain.enqueue()
        Plain.enqueue(name='after', depends_on=first)
        self.assertEqual([job.name for job in run_jobs()], ['Plain', 'after'])

    def test_a_job_whose_dependency_failed_ends_without_a_run(self):
        broken = Erring.enqueue()
        after = Plain.enqueue(depends_on=broken)
        self.assertEqual([job.pk for job in run_jobs(raise_errors=False)], [broken.pk])
        after.refresh_from_db()
        self.assertEqual(after.status, JobStatusChoices.STATUS_ERRORED)

    def test_what_a_job_raises_is_raised_with_a_note(self):
        job, later = Erring.enqueue(), Plain.enqueue()
        with self.assertRaisesRegex(RuntimeError, 'unexpected') as caught:
            run_jobs()
        self.assertIn(f'job {job.pk}, Erring, ended as errored', caught.exception.__notes__[0])
        job.refresh_from_db()
        self.assertEqual((job.status, job.data), (JobStatusChoices.STATUS_ERRORED, {'seen': True}))
        self.assertEqual([job.pk for job in run_jobs()], [later.pk])

    def test_an_expected_failure_is_raised_too(self):
        Failing.enqueue(message='the source is away')
        with self.assertRaisesRegex(JobFailed, 'the source is away'):
            run_jobs()

    def test_errors_are_left_on_the_jobs_if_that_is_asked_for(self):
        Erring.enqueue()
        Failing.enqueue()
        self.assertEqual([job.status for job in run_jobs(raise_errors=False)], ['errored', 'failed'])

    def test_a_job_that_enqueues_itself_meets_the_limit(self):
        Repeating.enqueue()
        with self.assertRaisesRegex(AssertionError, 'has run 5 jobs.*Repeating.*larger limit'):
            run_jobs(limit=5)
        self.assertEqual(Repeating.get_jobs().ended().count(), 5)

    def test_only_the_named_queues_are_served(self):
        Plain.enqueue(queue_name='low')
        high = Plain.enqueue(queue_name='high')
        self.assertEqual([job.pk for job in run_jobs(queue_names=['high', 'default'])], [high.pk])
        with self.assertRaises(UnknownQueue):
            run_jobs(queue_names=['hihg'])

    def test_a_paused_queue_and_a_later_job_wait(self):
        Plain.enqueue(queue_name='low')
        Plain.enqueue(schedule_at=timezone.now() + timedelta(minutes=1))
        PausedQueue.objects.create(name='low')
        self.assertEqual(run_jobs(), [])

    def test_a_retry_waits_for_its_backoff_and_raises_nothing(self):
        Flaky.enqueue()
        (job,) = run_jobs()
        self.assertEqual((job.status, job.retries), (JobStatusChoices.STATUS_SCHEDULED, 1))
        self.assertEqual(job.attempts.get().error, "ConnectionError('attempt 1')")

    def test_retries_come_at_their_times(self):
        began = timezone.now()
        Flaky.enqueue()
        (job,) = run_jobs(until=timedelta(hours=1))
        self.assertEqual((job.status, job.attempt), (JobStatusChoices.STATUS_COMPLETED, 3))
        waited = datetime.fromisoformat(job.data['at']) - began
        self.assertAlmostEqual(waited.total_seconds(), 660, delta=30)
        self.assertLess(timezone.now() - began, timedelta(minutes=1))

    def test_schedules_recur_at_their_times(self):
        began = timezone.now()
        Noting.enqueue_once(interval=60)
        ran = run_jobs(until=began + timedelta(hours=3, minutes=5))
        self.assertEqual(len(ran), 4)
        waits = [(moment - began).total_seconds() / 3600 for moment in Noting.moments]
        for waited, expected in zip(waits, [0, 1, 2, 3], strict=True):
            self.assertAlmostEqual(waited, expected, delta=0.05)
        (waiting,) = Noting.get_jobs().waiting()
        self.assertEqual((waiting.predecessor_id, waiting.interval), (ran[-1].pk, 60))

    def test_cron_goes_by_the_moved_clock(self):
        Noting.enqueue_once(cron='0 3 * * *', timezone='UTC')
        ran = run_jobs(until=timedelta(days=3))
        self.assertEqual(len(ran), 3)
        self.assertEqual({moment.astimezone(UTC).hour for moment in Noting.moments}, {3})

    def test_a_job_at_a_time_runs_at_that_time_in_the_order_of_times(self):
        now = timezone.now()
        Plain.enqueue(name='second', queue_name='high', schedule_at=now + timedelta(hours=2))
        Plain.enqueue(name='first', queue_name='low', schedule_at=now + timedelta(hours=1))
        Plain.enqueue(name='never', schedule_at=now + timedelta(hours=4))
        ran = run_jobs(until=now + timedelta(hours=3))
        self.assertEqual([job.name for job in ran], ['first', 'second'])
        self.assertGreaterEqual(ran[1].started, now + timedelta(hours=2))

    def test_until_must_be_a_moment(self):
        with self.assertRaisesRegex(ValueError, 'naive'):
            run_jobs(until=datetime(2030, 1, 1))

    def test_a_lacking_package_is_named(self):
        start, travelling.start = travelling.start, None
        self.addCleanup(setattr, travelling, 'start', start)
        with self.assertRaisesRegex(Exception, 'time-machine'):
            run_jobs(until=timedelta(1))

    def test_a_coroutine_runs(self):
        Coroutine.enqueue()
        self.assertEqual(run_jobs()[0].data, {'ran': True})

    def test_lines_of_the_log_are_on_the_job(self):
        Erring.enqueue()
        (job,) = run_jobs(raise_errors=False)
        self.assertIn('unexpected', job.log_entries[0]['message'])

    async def test_asynchronous_tests_await_it(self):
        job = await Coroutine.aenqueue()
        (ran,) = await arun_jobs()
        self.assertEqual((ran.pk, ran.status), (job.pk, JobStatusChoices.STATUS_COMPLETED))

    async def test_asynchronous_tests_travel_in_time(self):
        await Noting.aenqueue(schedule_at=timezone.now() + timedelta(hours=2))
        before = timezone.now()
        self.assertEqual(await arun_jobs(), [])
        (ran,) = await arun_jobs(until=timedelta(hours=3))
        self.assertGreater(ran.started - before, timedelta(hours=1, minutes=59))
        self.assertLess(timezone.now() - before, timedelta(hours=1))


class WithCommits(TransactionTestCase):
    """What is enqueued is committed, and no Redis is there."""

    def setUp(self):
        self.enterContext(self.settings(NETBOX_JOBS={'DELIVER': False}))

    def test_jobs_are_enqueued_and_run_without_redis(self):
        with self.assertNoLogs('netbox_jobs', logging.WARNING):
            first = Plain.enqueue()
            Plain.enqueue_many([{'depends_on': first}, {}])
            self.assertEqual(len(run_jobs()), 3)
        self.assertEqual(Job.objects.ended().count(), 3)

    def test_a_waiting_job_is_canceled_without_redis(self):
        job = Plain.enqueue()
        self.assertTrue(job.cancel())
        self.assertEqual(run_jobs(), [])

    def test_what_a_job_commits_is_delivered_to_run_jobs_alone(self):
        Following.enqueue()
        with self.settings(NETBOX_JOBS={}):
            self.assertEqual([job.name for job in run_jobs()], ['Following', 'followed'])

    def test_retries_and_schedules_come_at_their_times(self):
        Flaky.enqueue()
        self.assertEqual(run_jobs(until=timedelta(hours=1))[0].status, JobStatusChoices.STATUS_COMPLETED)


@pytest.mark.django_db
def test_it_works_with_the_database_of_pytest_django():
    Plain.enqueue()
    assert [job.status for job in run_jobs()] == ['completed']


@pytest.mark.django_db
def test_a_clock_that_another_library_keeps_is_named(monkeypatch):
    Plain.enqueue(schedule_at=timezone.now() + timedelta(hours=1))
    now = travelling.clock.now_ms()
    monkeypatch.setattr(travelling.clock, 'now_ms', lambda: now)
    with pytest.raises(RuntimeError, match='freezegun'):
        run_jobs(until=timedelta(hours=2))

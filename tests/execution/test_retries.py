"""A job that fails is run again, as its runner or its call says; one row, one end."""

import time

import pytest
from django.core.exceptions import ImproperlyConfigured

from netbox_jobs.core import clock, retries
from netbox_jobs.exceptions import JobFailed
from netbox_jobs.jobs import JobRunner
from netbox_jobs.lifecycle import requeue
from netbox_jobs.maintenance import recovery
from netbox_jobs.models import Job, JobLogEntry
from netbox_jobs.signals import job_end, job_start
from tests.app.jobs import Erring, Failing, Flaky, FlakyOnPurpose, Plain
from tests.app.models import Trace
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def told():
    """What the signals told, in order."""
    heard = []

    def on_start(sender, **kwargs):
        heard.append(('start', sender.attempt))

    def on_end(sender, **kwargs):
        heard.append(('end', sender.status))

    job_start.connect(on_start)
    job_end.connect(on_end)
    yield heard
    job_start.disconnect(on_start)
    job_end.disconnect(on_end)


def work_off(work, job, rounds=10):
    """Let time pass until the job has ended: what is due is handed over, and run."""
    for _ in range(rounds):
        work()
        if status(job) not in ('pending', 'scheduled'):
            return
        recovery.deliver_due()
    raise AssertionError(f'still {job.status} after {rounds} rounds')


def test_a_job_that_fails_is_run_again_until_it_succeeds(work, told):
    job = Flaky.enqueue(failures=2)
    work_off(work, job)
    assert (job.status, job.error, job.attempt, job.retries, job.data) == ('completed', '', 3, 2, {'attempt': 3})
    assert Trace.objects.filter(job_pk=job.pk, what='start').count() == 3
    assert told == [('start', 1), ('start', 2), ('start', 3), ('end', 'completed')]


def test_when_the_retries_are_used_up_it_ends_as_the_last_attempt_did(work, told):
    job = Flaky.enqueue(failures=99)
    work_off(work, job)
    assert (job.status, job.error, job.attempt, job.retries) == ('errored', "RuntimeError('attempt 4')", 4, 3)
    assert [what for what, _ in told].count('end') == 1


def test_the_attempts_are_counted_visible_and_told_apart_in_the_log(work):
    job = Flaky.enqueue(failures=2)
    work_off(work, job)
    assert [(attempt.number, attempt.error, attempt.crashed) for attempt in job.attempts.all()] == [
        (1, "RuntimeError('attempt 1')", False),
        (2, "RuntimeError('attempt 2')", False),
    ]
    assert all(attempt.duration.total_seconds() >= 0 for attempt in job.attempts.all())
    lines = JobLogEntry.objects.filter(job_id=job.pk).values_list('attempt', 'level', 'message')
    assert [(attempt, level) for attempt, level, _ in lines] == [
        (1, 'info'), (1, 'warning'), (2, 'info'), (2, 'warning'), (3, 'info'),
    ]  # fmt: skip
    assert 'Attempt 1 failed; the next one is due in 0 s.' in lines[1][2]
    assert 'Traceback' in lines[1][2]


def test_between_attempts_the_job_waits_and_is_the_same_row(work):
    job = Flaky.enqueue(failures=1, retry_backoff=[3600])
    before = time.time()
    work()
    assert (status(job), job.retries, job.started, job.completed) == ('scheduled', 1, None, None)
    assert 3590 <= job.due / 1000 - before <= 3630
    assert job.data == {'attempt': 1}
    assert Job.objects.count() == 1
    recovery.deliver_due()
    assert status(job) == 'scheduled'


def test_a_call_overrides_its_runner(work):
    job = Flaky.enqueue(failures=99, max_retries=1)
    work_off(work, job)
    assert (job.status, job.retries) == ('errored', 1)
    job = Erring.enqueue(max_retries=2, retry_backoff=0, retry_on=RuntimeError)
    work_off(work, job)
    assert (job.status, job.retries) == ('errored', 2)
    job = Flaky.enqueue(max_retries=0)
    work()
    assert (status(job), job.retries) == ('errored', 0)


def test_an_expected_failure_is_retried_only_if_named(work):
    job = Flaky.enqueue(failures=1, expected=True)
    work()
    assert (status(job), job.retries) == ('failed', 0)
    job = FlakyOnPurpose.enqueue(failures=1, expected=True)
    work_off(work, job)
    assert (job.status, job.retries) == ('completed', 1)


def test_other_exceptions_than_the_named_ones_end_it(work):
    job = FlakyOnPurpose.enqueue(failures=1)
    work()
    assert (status(job), job.retries) == ('errored', 0)


def test_a_runner_that_says_nothing_is_not_retried(work):
    job = Erring.enqueue()
    work()
    assert (status(job), job.retries) == ('errored', 0)


def test_an_immediate_job_is_run_once(work):
    job = Flaky.enqueue(immediate=True)
    assert (job.status, job.retries) == ('errored', 0)


def test_a_retried_periodic_job_has_one_successor_made_at_its_real_end(work):
    job = Flaky.enqueue(failures=1, interval=60)
    work()
    assert status(job) == 'scheduled'
    assert Job.objects.count() == 1
    work_off(work, job)
    assert job.status == 'completed'
    successor = Job.objects.get(predecessor=job)
    assert (successor.retries, successor.attempt, successor.retry_policy) == (0, 0, {})


def test_the_successor_keeps_what_the_call_said_of_retries(work):
    job = Failing.enqueue(interval=60, max_retries=1, retry_backoff=[5, 6], retry_on=[KeyError])
    work()
    assert Job.objects.get(predecessor=job).retry_policy == {
        'max_retries': 1, 'backoff': [5, 6], 'on': ['builtins.KeyError'],
    }  # fmt: skip


def test_enqueue_once_changes_the_retries_of_the_waiting_job():
    job = Plain.enqueue_once(interval=60)
    assert Plain.enqueue_once(interval=60, max_retries=4).pk == job.pk
    job.refresh_from_db()
    assert job.retry_policy == {'max_retries': 4}


def test_data_that_cannot_be_stored_ends_the_job_instead_of_its_next_attempt(work):
    job = LeavesASet.enqueue()
    work()
    assert status(job) == 'errored'
    assert 'job.data' in job.error


class LeavesASet(JobRunner):
    class Meta:
        max_retries = 3
        retry_backoff = 0

    def run(self, **kwargs):
        self.job.data = {1, 2}
        raise RuntimeError('after leaving a set')


# The policy by itself


def test_the_exponential_backoff_has_full_jitter_and_a_cap():
    policy = retries.RetryPolicy(max_retries=50, backoff=2)
    for done in range(20):
        delays = {policy.delay(done) for _ in range(50)}
        assert min(delays) >= 0 and max(delays) <= min(retries.LONGEST_BACKOFF, 2 * 2**done)
        assert len(delays) > 10  # jittered


def test_a_list_of_seconds_is_taken_in_order_and_its_last_stays():
    policy = retries.RetryPolicy(max_retries=9, backoff=[1, 5, 60])
    assert [policy.delay(done) for done in range(5)] == [1, 5, 60, 60, 60]


def test_what_a_policy_covers():
    policy = retries.RetryPolicy(max_retries=2, on=(ValueError,))
    assert policy.covers(ValueError(), 0) and policy.covers(UnicodeError(), 1)
    assert not policy.covers(ValueError(), 2)
    assert not policy.covers(KeyError(), 0)
    assert not retries.RetryPolicy(max_retries=2).covers(JobFailed(), 0)


@pytest.mark.parametrize(
    'options',
    [
        {'max_retries': -1}, {'max_retries': True}, {'max_retries': 1.5}, {'max_retries': '3'},
        {'retry_backoff': -1}, {'retry_backoff': []}, {'retry_backoff': 'soon'}, {'retry_backoff': [1, -2]},
        {'retry_on': 'ValueError'}, {'retry_on': [1]}, {'retry_on': int},
    ],
)  # fmt: skip
def test_p8_bad_retries_are_refused_at_the_call_and_where_the_class_is_made(options):
    name = next(iter(options))
    with pytest.raises(ValueError, match=name):
        Plain.enqueue(**options)
    assert not Job.objects.exists()
    with pytest.raises(ImproperlyConfigured, match=name):
        type('Bad', (JobRunner,), {'Meta': type('Meta', (), options), 'run': lambda self: None})


def test_the_backoff_is_kept_by_the_clock(work, monkeypatch):
    hands = [clock.now_ms()]
    monkeypatch.setattr(clock, 'now_ms', lambda: hands[0])
    job = Flaky.enqueue(failures=2, retry_backoff=[60, 3600])
    work()
    for seconds, attempts in ((59, 1), (1, 2), (3599, 2), (1, 3)):
        hands[0] += seconds * 1000
        recovery.deliver_due()
        work()
        assert Trace.objects.filter(job_pk=job.pk, what='start').count() == attempts
    assert status(job) == 'completed'


def test_an_occurrence_that_was_arranged_meanwhile_waits_for_the_next_attempt_of_the_one_before(work):
    job = Flaky.enqueue_once(interval=60, failures=0)
    job.start()
    following = Flaky.enqueue_once(interval=30)
    assert following.predecessor_id == job.pk
    requeue.requeue(job, delay=3600, after='failed')
    Job.objects.filter(pk=following.pk).update(due=0)
    assert recovery.deliver_due() == 0
    Job.objects.filter(pk=job.pk).update(due=0)
    assert recovery.deliver_due() == 1
    work()
    assert status(job) == 'completed'
    assert recovery.deliver_due() == 1


def test_the_thousandth_retry_waits_as_the_tenth_does():
    assert 0 <= retries.RetryPolicy(max_retries=5000).delay(4000) <= retries.LONGEST_BACKOFF


@pytest.mark.parametrize('backoff', [float('nan'), float('inf'), [10**17]])
def test_p8_a_backoff_is_a_number_of_seconds_that_comes_to_an_end(backoff):
    with pytest.raises(ValueError, match='a year'):
        Plain.enqueue(max_retries=1, retry_backoff=backoff)
    assert not Job.objects.exists()


def test_p8_retry_on_names_what_a_worker_can_import():
    class Local(Exception):
        pass

    with pytest.raises(ValueError, match='cannot import'):
        Plain.enqueue(max_retries=1, retry_on=[Local])

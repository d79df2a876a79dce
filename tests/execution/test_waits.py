"""`self.wait_for()` and `job.signal()`: a signal is stored, received once, and no wake-up is lost."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction

from netbox_jobs.broker import delivery
from netbox_jobs.core import clock
from netbox_jobs.core.suspension import Suspension
from netbox_jobs.exceptions import AlreadyClaimed, JobEnded, SignalTimeout
from netbox_jobs.execution import waits
from netbox_jobs.lifecycle import claim, job_signals
from netbox_jobs.maintenance import recovery, slots
from netbox_jobs.maintenance.orphans import end_orphan
from netbox_jobs.models import Job, JobSignal, PausedQueue
from netbox_jobs.testing import run_jobs
from tests.app.waiting import Approved, ApprovedThenFailing, unstorable
from tests.dying import at_each_statement
from tests.processes import status, wait_for

pytestmark = pytest.mark.django_db(transaction=True)


def reloaded(job):
    return Job.objects.get(pk=job.pk)


def result(job):
    now = reloaded(job)
    return now.status, now.data


def waiting_job(**kwargs):
    job = Approved.enqueue(**kwargs)
    run_jobs()
    assert status(job) == 'scheduled'
    return job


def test_a_signal_is_received_before_the_job_has_started_and_while_it_waits():
    early = Approved.enqueue()
    early.signal('approved', {'by': 'ann'})
    late = waiting_job()
    late.signal('approved', {'by': 'bob'})
    assert status(late) == 'pending'  # it is delivered at once
    run_jobs()
    assert result(early) == ('completed', [{'by': 'ann'}])
    assert result(late) == ('completed', [{'by': 'bob'}])
    assert (reloaded(late).attempt, JobSignal.objects.count()) == (1, 0)


def test_signals_of_one_name_are_received_in_their_order_and_others_wake_nothing():
    job = waiting_job(times=3)
    job.signal('other')
    job.signal('APPROVED')
    assert slots.wake_signaled() == 0
    assert status(job) == 'scheduled'
    job.signal('approved', 1)
    job.signal('approved', 2)
    run_jobs()
    assert status(job) == 'scheduled'
    job.signal('approved')
    run_jobs()
    assert result(job) == ('completed', [1, 2, None])
    slots.sweep()
    assert not JobSignal.objects.exists()


def test_a_signal_belongs_to_the_transaction_of_its_sender():
    job = waiting_job()
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        job.signal('approved')
        raise ZeroDivisionError
    assert (status(job), JobSignal.objects.count()) == ('scheduled', 0)
    with transaction.atomic():
        job.signal('approved')
        assert status(job) == 'scheduled'
    assert status(job) == 'pending'


def test_a_job_that_has_ended_or_was_deleted_cannot_be_signaled_and_neither_can_what_cannot_be_stored():
    job = waiting_job()
    with pytest.raises(TypeError, match='payload'):
        job.signal('approved', unstorable())
    with pytest.raises(ValueError, match='name of a signal'):
        job.signal('')
    job.cancel()
    with pytest.raises(JobEnded, match='is canceled; only a job that has not ended'):
        job.signal('approved')
    gone = Job.objects.get(pk=job.pk)
    job.delete()
    with pytest.raises(Job.DoesNotExist, match='has been deleted'):
        gone.signal('approved')


def test_a_time_out_is_recorded_and_a_signal_that_comes_later_is_not_received():
    job = Approved.enqueue(timeout=timedelta(hours=1), expected=True, times=2)
    run_jobs()
    assert reloaded(job).due == job.steps.get().until
    run_jobs(until=timedelta(minutes=90))  # the second wait has begun
    first = job.steps.first()
    assert first.timed_out and status(job) == 'scheduled'
    job.signal('approved', 'at last')
    run_jobs()
    assert result(job) == ('completed', ['late', 'at last'])


def test_a_time_out_is_an_error_of_the_run_and_a_retry_by_hand_waits_anew():
    job = Approved.enqueue(timeout=timedelta())
    with pytest.raises(SignalTimeout, match="no signal 'approved' in time"):
        run_jobs()
    assert status(job) == 'errored'
    new = reloaded(job).retry()
    new.signal('approved', 1)
    run_jobs()
    assert result(new) == ('completed', [1])


def test_a_retry_by_hand_takes_over_the_signals_that_were_received_and_those_that_were_not():
    job = ApprovedThenFailing.enqueue()
    for number in (1, 2):
        job.signal('approved', number)
    run_jobs(raise_errors=False)
    new = reloaded(job).retry()
    run_jobs()
    assert result(new) == ('completed', [1, 2])


def test_a_signal_that_comes_between_the_look_for_it_and_the_end_of_the_run_wakes_the_job(monkeypatch, work):
    job, before = Approved.enqueue(), job_signals.receive

    def receive(*args):
        received = before(*args)
        if not job.steps.exists() and received is None:
            job.signal('approved', 'meanwhile')
        return received

    monkeypatch.setattr(waits.job_signals, 'receive', receive)
    work()  # without recovery, which would wake it as well
    assert result(job) == ('completed', ['meanwhile'])


def test_killed_at_any_statement_of_the_sender_a_committed_signal_wakes_the_job():
    jobs = [waiting_job()]
    stored = []
    for _number in at_each_statement(lambda: jobs[-1].signal('approved', 'x')):
        job = jobs[-1]
        stored.append(JobSignal.objects.filter(job=job.pk).exists())
        slots.wake_signaled()
        assert stored[-1] == (status(job) == 'pending' or reloaded(job).due <= clock.now_ms())
        run_jobs()
        assert result(job) == (('completed', ['x']) if stored[-1] else ('scheduled', None))
        jobs.append(waiting_job())
    assert not stored[0] and stored.count(True) > 2


def test_killed_at_any_statement_of_the_run_a_signal_is_received_once_and_never_lost():
    job = Approved.enqueue(times=2)
    for payload in ('one', 'two'):
        job.signal('approved', payload)

    def attempt():
        run_jobs(limit=1, raise_errors=False)

    for _number in at_each_statement(attempt, leaves_files=True):
        taken = job.steps.filter(kind='wait', completed__isnull=False).count()
        assert taken + JobSignal.objects.filter(job=job.pk).count() == 2
        if status(job) == 'running':
            Job.objects.filter(pk=job.pk).update(crashes=0)
            end_orphan(reloaded(job), 'its process has died')
    assert result(job) == ('completed', ['one', 'two'])


def test_recovery_wakes_the_job_of_a_sender_that_died_after_its_commit(monkeypatch):
    job = waiting_job()
    with monkeypatch.context() as patch:
        patch.setattr(job_signals, 'wake', lambda *args, **kwargs: False)
        job.signal('approved', 1)
    assert status(job) == 'scheduled'
    assert slots.wake_signaled() == 1
    assert slots.wake_signaled() == 0
    run_jobs()
    assert result(job) == ('completed', [1])


def test_a_job_that_was_woken_survives_the_loss_of_redis():
    job = waiting_job()
    job.signal('approved', 1)
    delivery.queue('default').connection.flushdb()
    Job.objects.filter(pk=job.pk).update(due=1)
    assert recovery.redeliver_vanished() == 1
    run_jobs()
    assert result(job) == ('completed', [1])


def test_a_signal_does_not_cut_a_backoff_short_and_a_paused_queue_stays_paused():
    job = waiting_job()
    job.signal('approved')
    claimed = claim.claim(str(job.job_id), 'one', 'default')
    claimed.claim = None
    later = clock.now_ms() + 3_600_000
    Job.objects.filter(pk=job.pk).update(status='scheduled', due=later, worker=None)  # it has failed before it waits
    reloaded(job).signal('approved')
    assert not slots.wake_signaled() and reloaded(job).due == later
    other = waiting_job()
    PausedQueue.pause('default')
    other.signal('approved')
    assert status(other) == 'scheduled'
    PausedQueue.resume('default')
    run_jobs()
    assert status(other) == 'completed'


def test_signals_of_many_senders_are_received_once_each():
    job = waiting_job(times=12)

    def send(first):
        try:
            for number in range(first, 12, 3):
                Job.objects.get(pk=job.pk).signal('approved', number)
        finally:
            connection.close()

    senders = [threading.Thread(target=send, args=(first,)) for first in range(3)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    run_jobs()
    found, data = result(job)
    assert (found, sorted(data)) == ('completed', list(range(12)))


@pytest.mark.process
def test_a_signal_wakes_a_job_in_a_real_worker(start_worker):
    job = Approved.enqueue(times=2)
    start_worker()
    wait_for(lambda: job.steps.exists(), 60)
    for number in range(2):
        job.signal('approved', number)
    wait_for(lambda: status(job) == 'completed', 60)
    assert reloaded(job).data == [0, 1]


def test_p9_a_payload_that_was_changed_outside_the_app_is_refused():
    job = Approved.enqueue()
    job.signal('approved', 'x')
    JobSignal.objects.update(payload=b'{"payload": "y"}')
    run_jobs(raise_errors=False)
    assert status(job) == 'errored' and 'signed' in reloaded(job).error


def test_p3_a_run_that_has_lost_its_claim_receives_no_signal():
    job = Approved.enqueue()
    job.signal('approved')
    stale = claim.claim(str(job.job_id), 'one', 'default')
    held = stale.claim
    Job.objects.filter(pk=job.pk).update(worker='two')
    with pytest.raises(AlreadyClaimed, match='does not receive the signal'):
        job_signals.receive(stale, held, Suspension('wait', 'approved', 1, stale.started, None))
    assert JobSignal.objects.count() == 1

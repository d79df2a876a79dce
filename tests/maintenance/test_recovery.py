"""Recovery, move by move: what it repairs, what it leaves alone, and what does not hold it up."""

from contextlib import nullcontext
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import OperationalError
from django.db.models import F
from django.utils import timezone

from netbox_jobs.broker import delivery
from netbox_jobs.core import clock, identity
from netbox_jobs.execution import heartbeat
from netbox_jobs.lifecycle import claim, finish, requeue
from netbox_jobs.maintenance import observer, orphans, recovery
from netbox_jobs.maintenance.observer import Observer
from netbox_jobs.models import Job, JobAttempt, JobLogEntry, Worker
from netbox_jobs.worker import maintenance_thread
from tests.app.jobs import DyingAgain, Plain, WorkingRetried
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)


def claimed(job, worker='w' * 32):
    return claim.claim(str(job.job_id), worker, 'default')


# A stop that arrives as an attempt ends


def test_p7_a_stop_between_run_and_the_retry_ends_the_job(work):
    job = WorkingRetried.enqueue(interval=10)
    running = claimed(job)
    assert Job.objects.get(pk=job.pk).stop()
    assert requeue.requeue(running, 0, after='RuntimeError()') is False
    assert (status(job), job.error, job.retries) == ('canceled', finish.STOPPED, 0)
    assert running.ended
    assert not JobAttempt.objects.exists()
    assert WorkingRetried.get_jobs().waiting().get().predecessor_id == job.pk


def test_p7_a_stop_between_a_crash_and_the_retry_ends_the_job():
    job = DyingAgain.enqueue(interval=10)
    claimed(job)
    found = Job.objects.get(pk=job.pk)  # as recovery has loaded it
    assert Job.objects.get(pk=job.pk).stop()
    assert orphans.end_orphan(found, 'gone')
    assert (status(job), job.crashes) == ('canceled', 0)
    assert DyingAgain.get_jobs().waiting().get().predecessor_id == job.pk


def test_p7_a_stop_between_a_missing_runner_and_its_return_ends_the_job():
    running = claimed(Plain.enqueue())
    assert Job.objects.get(pk=running.pk).stop()
    assert requeue.requeue(running, 5) is False
    assert status(running) == 'canceled'


def test_a_claim_that_is_lost_is_neither_given_back_nor_canceled():
    job = WorkingRetried.enqueue()
    stale = claimed(job)
    orphans.end_orphan(Job.objects.get(pk=job.pk), 'declared dead')
    assert requeue.requeue(stale, 0, after='RuntimeError()') is False
    assert status(job) == 'errored'
    assert not JobAttempt.objects.exists()


def test_attempts_that_did_not_count_leave_the_numbers_of_those_that_do():
    job = WorkingRetried.enqueue()
    for _ in range(2):
        requeue.requeue(claimed(job), 0)  # its runner is not there
        recovery.deliver_due()
    for number in (1, 2):
        assert requeue.requeue(claimed(job), 0, after=f'error {number}')
        recovery.deliver_due()
    last = claimed(job)
    assert (last.attempt, last.releases, last.retries) == (3, 2, 2)
    assert list(job.attempts.values_list('number', 'error')) == [(1, 'error 1'), (2, 'error 2')]


# The dead


def test_an_orphan_that_cannot_be_ended_does_not_keep_the_others_from_it(monkeypatch, caplog):
    bad, good = claimed(Plain.enqueue()), claimed(Plain.enqueue())
    end = finish.finish

    def fallible(job, *args, **kwargs):
        if job.pk == bad.pk:
            raise ValueError('poison')
        return end(job, *args, **kwargs)

    monkeypatch.setattr(orphans, 'finish', fallible)
    assert orphans.end_orphans('w' * 32) == 1
    assert (status(bad), status(good)) == ('running', 'errored')
    assert 'poison' in caplog.text


def test_p1_what_a_busy_worker_does_not_run_any_more_is_ended_and_what_it_runs_is_not():
    orphan, current = claimed(Plain.enqueue()), claimed(Plain.enqueue())
    assert orphans.end_own_orphans('w' * 32, current.delivery_id, lambda: False) == 0
    assert orphans.end_own_orphans('w' * 32, current.delivery_id) == 1
    assert (status(orphan), status(current)) == ('errored', 'running')
    assert orphans.end_own_orphans('w' * 32) == 1
    assert status(current) == 'errored'


@pytest.mark.parametrize('runner', [Plain, DyingAgain])
def test_p1_a_death_between_an_orphans_end_and_the_line_that_says_why_has_ended_nothing(monkeypatch, runner):
    job = claimed(runner.enqueue(interval=60))
    found = Job.objects.get(pk=job.pk)

    def cut(*args):
        raise OperationalError('terminating connection')

    with monkeypatch.context() as patch:
        patch.setattr(JobLogEntry, 'from_dicts', cut)
        with pytest.raises(OperationalError) if runner is Plain else nullcontext():
            orphans.end_orphan(found, 'gone')
    assert (status(job), JobAttempt.objects.count(), runner.get_jobs().waiting().count()) == ('running', 0, 0)
    assert orphans.end_orphan(found, 'gone')  # another one tries again, with the same object
    assert [line.message for line in JobLogEntry.objects.filter(job=job)] == ['gone']
    assert runner.get_jobs().waiting().count() == 1


def test_p4_a_dead_run_of_a_schedule_does_not_end_it():
    job = Plain.enqueue_once(interval=60)
    claimed(job)
    assert Plain.enqueue_once(interval=60).pk == job.pk  # it cannot be told yet that it is dead
    orphans.end_orphans('w' * 32)
    assert status(job) == 'errored'
    assert Plain.enqueue_once(interval=60).predecessor_id == job.pk
    assert Plain.get_jobs().waiting().count() == 1


class CutOff:
    """A lease whose session has been cut: the first beat after that fails."""

    token = 'a' * 32

    def __init__(self, failures):
        self.failures = failures

    def beat(self):
        if self.failures:
            self.failures -= 1
            raise OperationalError('terminating connection')
        heartbeat.Lease(self.token, 'a worker').beat()


@pytest.mark.parametrize(('failures', 'counts'), [(0, True), (1, True), (2, False)])
def test_a_cut_session_is_no_sign_that_the_observer_is_cut_off_but_a_database_that_is_away_is(
    monkeypatch, settings, failures, counts
):
    settings.NETBOX_JOBS = {'WORKER_TIMEOUT': 10}
    now = 1000.0
    monkeypatch.setattr(observer.time, 'monotonic', lambda: now)
    lease = CutOff(0)
    watching = maintenance_thread.MaintenanceThread(lease, at_work=lambda: (0, None), stop=lambda delivery_id: None)
    job = claimed(Plain.enqueue())
    watching._do(watching._beat)
    for _ in range(2):
        now += 4.5
        watching._do(watching._beat)
    lease.failures = failures
    watching._do(watching._beat)
    now += 2
    watching._do(watching._beat)
    assert status(job) == ('errored' if counts else 'running')
    for _ in range(2):
        now += 5
        watching._do(watching._beat)
    assert status(job) == 'errored'


def test_p3_a_claim_of_a_worker_that_came_back_before_it_has_beaten_is_left_to_it(monkeypatch, settings):
    settings.NETBOX_JOBS = {'WORKER_TIMEOUT': 10}
    now = 1000.0
    monkeypatch.setattr(observer.time, 'monotonic', lambda: now)
    watching = maintenance_thread.MaintenanceThread(CutOff(0), at_work=lambda: (0, None), stop=lambda delivery_id: None)
    old = claimed(Plain.enqueue())
    watching._do(watching._beat)
    for _ in range(2):
        now += 4.5
        watching._do(watching._beat)
    new = claimed(Plain.enqueue())  # it had been suspended, and has woken up in this moment
    now += 2
    watching._do(watching._beat)
    assert (status(old), status(new)) == ('errored', 'running')
    for _ in range(2):
        now += 5
        watching._do(watching._beat)
    assert status(new) == 'errored'  # it has not come back after all


# Waiting for others


def test_p1_an_end_that_went_by_unseen_is_made_good_however_many_wait_rightly(monkeypatch):
    monkeypatch.setattr(recovery, '_BATCH', 3)
    first, second = Plain.enqueue(), Plain.enqueue()
    rightly = [Plain.enqueue(depends_on=first) for _ in range(5)]
    forgotten = Plain.enqueue(depends_on=second)
    Job.objects.filter(pk=second.pk).update(status='completed')  # its process died before it could tell
    assert recovery.settle_dependents() == 1
    forgotten.refresh_from_db()
    assert forgotten.due is not None
    assert str(forgotten.job_id) in delivery.queue('default').job_ids
    for job in rightly:
        job.refresh_from_db()
        assert (job.status, job.due) == ('pending', None)


def test_what_no_worker_took_within_its_ttl_does_not_run_any_more(work):
    job, other = Plain.enqueue(ttl=60, interval=10), Plain.enqueue(ttl=3600)
    Job.objects.update(due=F('due') - 61_000)
    delivery.queue('default').empty()
    assert recovery.redeliver_vanished() == 1
    work()
    assert (status(job), status(other)) == ('canceled', 'completed')
    job.refresh_from_db()
    assert job.error == 'No worker took it within its ttl of 60 seconds.'
    assert Plain.get_jobs().waiting().get().predecessor_id == job.pk


# By hand


def test_repair_says_what_it_found_and_a_dry_run_changes_nothing(capsys, monkeypatch):
    monkeypatch.setattr('time.sleep', lambda seconds: None)
    late = Plain.enqueue(schedule_at=timezone.now() + timedelta(hours=1))
    Job.objects.filter(pk=late.pk).update(due=1)
    vanished = Plain.enqueue()
    Job.objects.filter(pk=vanished.pk).update(due=vanished.due - 20_000)
    orphan = claimed(Plain.enqueue())
    waiting = Plain.enqueue(depends_on=vanished)
    delivery.queue('default').empty()
    before = list(Job.objects.order_by('pk').values())

    call_command('jobs', 'repair', '--dry-run')
    found = capsys.readouterr().out
    counts = {line.strip().split('  ')[1].split(':')[0]: line.split()[0] for line in found.splitlines() if '  ' in line}
    assert counts.pop('jobs wait for a slot of a limit') == '0'
    assert set(counts.values()) == {'1'}, found
    assert len(counts) == 4
    assert 'Nothing was changed.' in found
    assert list(Job.objects.order_by('pk').values()) == before
    assert not delivery.queue('default').job_ids

    call_command('jobs', 'repair')
    done = capsys.readouterr().out
    assert [line for line in done.splitlines() if '  ' in line] == [line for line in found.splitlines() if '  ' in line]
    assert [status(job) for job in (late, vanished, orphan, waiting)] == ['pending', 'pending', 'errored', 'pending']
    assert set(delivery.queue('default').job_ids) == {str(late.job_id), f'{vanished.job_id}-2'}


# Clocks


def test_p4_what_was_missed_for_hours_runs_once_and_then_by_the_calendar(work):
    job = Plain.enqueue(cron='0 * * * *', schedule_at=timezone.now() + timedelta(minutes=1))
    past = timezone.now() - timedelta(hours=7)
    Job.objects.filter(pk=job.pk).update(scheduled=past, due=int(past.timestamp() * 1000))
    for _ in range(3):
        recovery.deliver_due()
        work()
    assert Plain.get_jobs().ended().count() == 1
    following = Plain.get_jobs().waiting().get()
    assert following.status == 'scheduled'
    assert timezone.now() < following.scheduled <= timezone.now() + timedelta(hours=1)


def test_a_worker_that_is_alive_is_never_an_orphan():
    job = claimed(Plain.enqueue(), identity.process_token())
    Worker.objects.create(token=identity.process_token(), name='alive', host='here', pid=1)
    observer = Observer()
    observer.healthy(True)
    observer.look()
    assert observer.dead() == {}
    assert status(job) == 'running'


def test_what_has_outlived_its_ttl_is_canceled_although_its_id_stands_in_rqs_queue():
    job = Plain.enqueue(ttl=60)
    Job.objects.filter(pk=job.pk).update(due=clock.now_ms() - 120_000)
    recovery.redeliver_vanished()
    assert status(job) == 'canceled'

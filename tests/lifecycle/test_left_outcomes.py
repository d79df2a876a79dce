"""P1 to P4 beside a transaction that keeps the row of a running job locked: its worker goes on, the outcome follows."""

import json
from contextlib import ExitStack

import pytest
from cryptography.fernet import Fernet
from django.db import connection

from netbox_jobs.execution.entry import run_delivered
from netbox_jobs.lifecycle import claim
from netbox_jobs.lifecycle.claim_next import NextClaim
from netbox_jobs.maintenance import orphans, recovery
from netbox_jobs.models import Job, JobAttempt, JobStep, PendingChange, Schedule
from tests.app import left
from tests.app.jobs import Plain
from tests.app.left import Left, LeftCounting, LeftEncrypted, LeftRetried
from tests.app.models import Thing
from tests.dying import Died, at_each_statement
from tests.processes import status, wait_for
from tests.sessions import elsewhere

pytestmark = pytest.mark.django_db(transaction=True)

#: How a run comes to its end, and what its job is then.
ENDS = {
    'completes': 'completed',
    'fails': 'failed',
    'raises': 'errored',
    'is retried': 'scheduled',
    'sleeps': 'scheduled',
}


def hold(job, **values):
    return elsewhere(lambda: Job.objects.filter(pk=job.pk).update(**values or {'name': 'held'}))


@pytest.fixture
def run(monkeypatch):
    """Run a job; while it runs, a view of another session locks its row, until the returned function is called."""
    stack = ExitStack()

    def _run(job, **values):
        monkeypatch.setattr(left, 'during', [lambda running: stack.enter_context(hold(running, **values))])
        run_delivered(str(job.job_id), sole=True)
        assert status(job) == 'running'
        monkeypatch.setattr(left, 'during', [])
        return stack.close

    with stack:
        yield _run


def enqueued(how, **options):
    return (LeftRetried if how == 'is retried' else Left).enqueue(how=how, **options)


@pytest.mark.parametrize('how', ENDS)
def test_the_outcome_of_a_run_whose_job_a_view_keeps_locked_is_recorded_when_the_view_has_ended(how, run):
    job = enqueued(how)
    release = run(job)
    recovery.settle_dependents()  # waits neither
    assert status(job) == 'running'
    assert 'keeps the job locked' in job.log_entries[-1]['message']
    release()
    recovery.settle_dependents()
    found = Job.objects.get(pk=job.pk)
    assert (found.status, found.name, found.data) == (ENDS[how], 'held', {'how': how})
    assert 'as asked' in found.error or how not in ('fails', 'raises')
    assert (found.execution_time is not None) == (found.status != 'scheduled')
    assert JobAttempt.objects.filter(error__contains='as asked').count() == (how == 'is retried')
    assert JobStep.objects.count() == (how == 'sleeps')
    assert not PendingChange.objects.exists()


@pytest.mark.parametrize('how', ['completes', 'changes its interval', 'is retried'])
def test_p4_a_chain_goes_on_after_an_outcome_that_was_left(how, run):
    runner = LeftRetried if how == 'is retried' else Left
    job = runner.enqueue_once(instance=Thing.objects.create(), interval=5, how=how)
    run(job)()
    recovery.settle_dependents()
    assert PendingChange.objects.count() == 0
    waiting = Job.objects.waiting().get()
    assert waiting.slot == job.schedule_id
    assert waiting.interval == (7 if how == 'changes its interval' else 5)
    assert (waiting.pk == job.pk) == (how == 'is retried')
    assert Schedule.objects.get().runs == (how != 'is retried')


def _in_a_chain(lock, run, monkeypatch):
    """Run a job that changes its arguments, while a view locks its row or its schedule."""
    job = LeftCounting.enqueue_once(instance=Thing.objects.create(), interval=5, turn=3)
    if lock == 'job':
        release = run(job)
    else:
        stack = ExitStack()
        release = stack.close
        view = elsewhere(lambda: Schedule.objects.update(name='held'))
        monkeypatch.setattr(left, 'during', [lambda running: stack.enter_context(view)])
        run_delivered(str(job.job_id), sole=True)
        assert status(job) == 'completed' and not Job.objects.waiting().exists()
    return release


@pytest.mark.parametrize('lock', ['job', 'schedule'])
def test_p4_the_successor_has_the_arguments_that_the_run_has_changed_although_it_is_made_later(lock, run, monkeypatch):
    release = _in_a_chain(lock, run, monkeypatch)
    release()
    recovery.settle_dependents()
    assert Job.objects.waiting().get().get_arguments() == {'turn': 4}
    assert not PendingChange.objects.exists()


@pytest.mark.parametrize('lock', ['job', 'schedule'])
def test_p9_kept_arguments_that_were_changed_outside_the_app_are_not_read(lock, run, monkeypatch):
    release = _in_a_chain(lock, run, monkeypatch)
    change = PendingChange.objects.get()
    text = json.dumps(change.values)
    assert 'pickle' in text
    PendingChange.objects.update(values=json.loads(text.replace('gAWV', 'gAWW')))
    release()
    recovery.settle_dependents()
    assert Job.objects.waiting().get().get_arguments() == {'turn': 3}


#: What the view has done to the job counts more than the end of its run.
VIEWS = {
    'ends it': ({'status': 'canceled', 'worker': None}, 'canceled'),
    'takes its claim': ({'worker': 'other'}, 'running'),
}


@pytest.mark.parametrize('view', VIEWS)
@pytest.mark.parametrize('how', ['completes', 'is retried', 'sleeps'])
def test_p3_an_outcome_that_was_left_changes_nothing_that_has_happened_since(view, how, run):
    values, after = VIEWS[view]
    job = enqueued(how)
    run(job, **values)()
    recovery.settle_dependents()
    assert (status(job), job.data) == (after, None)
    assert not PendingChange.objects.exists() and not JobStep.objects.exists() and not JobAttempt.objects.exists()


def test_p7_the_outcome_of_a_job_that_was_deleted_meanwhile_is_forgotten(run):
    job = Left.enqueue()
    release = run(job)
    release()
    Job.objects.filter(pk=job.pk).delete()
    recovery.settle_dependents()
    assert not Job.objects.exists() and not PendingChange.objects.exists()


@pytest.mark.parametrize('how', ['completes', 'is retried', 'sleeps'])
def test_p1_the_outcome_that_was_left_counts_although_its_worker_has_died_since(how, run):
    job = enqueued(how)
    release = run(job)
    assert not orphans.end_orphan(Job.objects.get(pk=job.pk), 'gone')
    release()
    assert orphans.end_orphan(Job.objects.get(pk=job.pk), 'gone')
    found = Job.objects.get(pk=job.pk)
    assert (found.status, found.crashes) == (ENDS[how], 0)
    assert not any('gone' in line['message'] for line in found.log_entries)


def test_p1_what_records_an_outcome_may_die_at_each_statement_and_it_is_recorded_once(run):
    job = Left.enqueue_once(instance=Thing.objects.create(), interval=5)
    run(job)()
    for _ in at_each_statement(recovery.settle_dependents):
        assert status(job) in ('running', 'completed')
    assert status(job) == 'completed'
    assert Job.objects.waiting().get().predecessor_id == job.pk
    assert (Schedule.objects.get().runs, PendingChange.objects.count()) == (1, 0)


@pytest.mark.parametrize('how', ['completes', 'is retried', 'sleeps'])
def test_p1_a_process_that_dies_while_it_leaves_an_outcome_is_accounted_for(how, run, monkeypatch):
    job = enqueued(how)
    before = PendingChange.leave.__func__

    def leave(cls, *args):
        before(cls, *args)
        raise Died

    monkeypatch.setattr(PendingChange, 'leave', classmethod(leave))
    with pytest.raises(Died):
        run(job)
    assert PendingChange.objects.count() == 1


def test_what_is_left_of_an_encrypted_job_is_encrypted(run, settings):
    settings.NETBOX_JOBS = {'ENCRYPTION_KEYS': [Fernet.generate_key().decode()]}
    job = LeftEncrypted.enqueue(how='completes')
    release = run(job)
    assert 'completes' not in str(PendingChange.objects.get().values)
    release()
    recovery.settle_dependents()
    assert Job.objects.get(pk=job.pk).data == {'how': 'completes'}
    with connection.cursor() as cursor:
        cursor.execute('SELECT data FROM netbox_jobs_job')
        assert 'completes' not in str(cursor.fetchone())


def test_the_next_job_of_a_batch_runs_although_the_end_of_the_one_before_was_left(run, monkeypatch):
    first, second = Left.enqueue(), Plain.enqueue()
    with ExitStack() as stack:
        monkeypatch.setattr(left, 'during', [lambda job: stack.enter_context(hold(job))])
        following = NextClaim(lambda: str(second.job_id))
        run_delivered(str(first.job_id), sole=True, next_claim=following)
        assert (status(first), following.job, status(second)) == ('running', None, 'pending')
        run_delivered(str(second.job_id), sole=True)
        assert status(second) == 'completed'
    recovery.settle_dependents()
    assert status(first) == 'completed'


def test_who_ends_a_job_in_a_process_of_its_own_waits_for_the_view():
    running = claim.claim(str(Plain.enqueue().job_id), 'worker', 'default')
    with hold(running) as _:
        pass
    running.terminate()
    assert status(running) == 'completed'


@pytest.mark.process
@pytest.mark.parametrize('options', [(), ('--fast',)])
@pytest.mark.parametrize('how', ['completes', 'is retried'])
def test_a_worker_goes_on_while_a_view_holds_the_job_that_it_runs(options, how, start_worker, tmp_path):
    worker = start_worker('default', *options)
    job = enqueued(how, until=str(tmp_path / 'over'))
    wait_for(lambda: status(job) == 'running')
    with hold(job):
        (tmp_path / 'over').touch()
        other = Plain.enqueue()
        wait_for(lambda: status(other) == 'completed')
        assert status(job) == 'running'
        worker.kill()
    start_worker('default', *options)
    wait_for(lambda: status(job) == 'completed')
    assert (job.attempt, job.crashes, PendingChange.objects.count()) == (2 if how == 'is retried' else 1, 0, 0)

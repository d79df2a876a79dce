"""Steps and waits beside a transaction of a view that keeps the row of the running job locked."""

from contextlib import ExitStack

import pytest
from django.utils import timezone

from netbox_jobs.exceptions import AlreadyClaimed
from netbox_jobs.execution.entry import run_delivered
from netbox_jobs.lifecycle import claim, locks, steps
from netbox_jobs.maintenance import recovery
from netbox_jobs.models import Job, JobSignal, JobStep, PendingChange
from tests.app import left
from tests.app.held import HeldBlock, HeldStep, HeldWait
from tests.app.models import Thing
from tests.processes import status
from tests.sessions import elsewhere

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def run(monkeypatch):
    """Run a job; while it runs, a view of another session changes its row, until the returned function is called."""
    stack = ExitStack()

    def _run(job, **values):
        def hold(running):
            view = Job.objects.filter(pk=running.pk)
            stack.enter_context(elsewhere(lambda: view.update(**values or {'name': 'held'})))

        monkeypatch.setattr(left, 'during', [hold])
        run_delivered(str(job.job_id), sole=True)
        monkeypatch.setattr(left, 'during', [])
        return stack.close

    with stack:
        yield _run


def test_a_step_does_not_wait_for_the_view_and_its_result_is_kept(run):
    job = HeldStep.enqueue(fail=True)
    release = run(job)
    assert JobStep.objects.get(job=job.pk).name == 'count'
    release()
    recovery.settle_dependents()  # requeues it, as its outcome says
    Job.objects.filter(pk=job.pk).update(due=1)
    recovery.deliver_due()
    run_delivered(str(job.job_id), sole=True)
    assert (status(job), job.attempt, job.data) == ('completed', 2, [1, 1])


def test_p3_a_step_is_not_stored_if_the_claim_is_lost_while_the_row_is_locked(monkeypatch):
    running = claim.claim(str(HeldStep.enqueue().job_id), 'worker', 'default')
    Job.objects.filter(pk=running.pk).update(worker='other')  # by the view, which commits while this one tries

    def locked(rows, patience, error):
        raise error

    monkeypatch.setattr(steps, 'poll_lock', locked)
    with pytest.raises(AlreadyClaimed):
        steps.store(running, running.claim, 'count', timezone.now(), 1)
    assert not JobStep.objects.exists()


def test_a_wait_is_left_and_continues_with_its_signal_when_the_view_has_ended(run):
    job = HeldWait.enqueue()
    job.signal('go', 7)
    release = run(job)
    assert (status(job), PendingChange.objects.count(), JobSignal.objects.count()) == ('running', 1, 1)
    release()
    recovery.settle_dependents()
    assert status(job) == 'pending'  # woken: its signal is there
    run_delivered(str(job.job_id), sole=True)
    assert (status(job), job.data) == ('completed', 7)
    assert not PendingChange.objects.exists() and not JobSignal.objects.exists()


@pytest.mark.parametrize('values', [{'name': 'held'}, {'worker': 'other'}])
def test_p3_a_block_waits_for_the_view_so_that_what_it_writes_is_written_under_the_claim(values, run, monkeypatch):
    waits, releases = [], []

    def sleep(seconds):
        waits.append(seconds)
        if len(waits) == 20:
            releases.pop().close()

    def hold(running):
        releases.append(ExitStack())
        releases[0].enter_context(elsewhere(lambda: Job.objects.filter(pk=running.pk).update(**values)))

    monkeypatch.setattr(locks.time, 'sleep', sleep)
    monkeypatch.setattr(left, 'during', [hold])
    run_delivered(str(HeldBlock.enqueue().job_id), sole=True)
    written = int('name' in values)
    assert len(waits) == 20
    assert (JobStep.objects.count(), Thing.objects.count()) == (written, written)

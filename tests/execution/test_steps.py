"""Steps: what a run has finished is not run again, whatever dies."""

from unittest.mock import MagicMock

import pytest
from django.core.management import call_command
from django.db import IntegrityError

from netbox_jobs.exceptions import AlreadyClaimed
from netbox_jobs.lifecycle import claim, steps
from netbox_jobs.maintenance.orphans import end_orphan
from netbox_jobs.models import Job, JobStep
from netbox_jobs.testing import run_jobs
from tests.app.models import Thing
from tests.app.stepping import Coroutine, FailingStep, Odd, Stepping, notes
from tests.dying import at_each_statement
from tests.processes import status, wait_for

pytestmark = pytest.mark.django_db(transaction=True)
PLACES = ('after first', 'in store', 'after store', 'after last')
RESULT = ['FIRST', {'stored': 1}, 'LAST']


@pytest.mark.parametrize('place', PLACES)
def test_a_finished_step_is_not_run_again_after_an_error(place, tmp_path):
    path = str(tmp_path / 'notes')
    job = Stepping.enqueue(path=path, fails=place, times=2)
    run_jobs()
    assert (status(job), job.data, job.attempt) == ('completed', RESULT, 3)
    assert notes(path) == ['first', 'last']
    assert Thing.objects.filter(name='stored').count() == 1
    assert [step.name for step in job.steps.all()] == ['first', 'store', 'last']


@pytest.mark.process
@pytest.mark.parametrize('place', PLACES)
def test_a_finished_step_is_not_run_again_after_its_process_was_killed(place, tmp_path, start_worker):
    path = str(tmp_path / 'notes')
    job = Stepping.enqueue(path=path, dies=place, times=2)
    start_worker()
    wait_for(lambda: status(job) == 'completed', 60)
    assert (job.data, job.crashes) == (RESULT, 2)
    assert notes(path) == ['first', 'last']
    assert Thing.objects.filter(name='stored').count() == 1
    assert job.steps.values_list('name', 'attempt').first() == ('first', 1)


def test_killed_at_any_statement_what_a_block_writes_is_written_once_and_a_call_is_made_at_least_once(tmp_path):
    """Each attempt dies one statement later; recovery has the next one run."""
    path = str(tmp_path / 'notes')
    job = Stepping.enqueue(path=path)

    def attempt():
        run_jobs(limit=1, raise_errors=False)

    for number in at_each_statement(attempt, leaves_files=True):
        assert Thing.objects.filter(name='stored').count() == job.steps.filter(name='store').count(), number
        now = Job.objects.get(pk=job.pk)
        if now.status == 'running':
            Job.objects.filter(pk=job.pk).update(crashes=0)
            end_orphan(Job.objects.get(pk=job.pk), 'its process has died')
        if number > 200:
            break
    assert (status(job), job.data) == ('completed', RESULT)
    assert Thing.objects.filter(name='stored').count() == 1
    assert [step.name for step in job.steps.all()] == ['first', 'store', 'last']
    assert set(notes(path)) == {'first', 'last'}


def test_p3_a_run_that_has_lost_its_claim_stores_no_step_and_what_its_block_wrote_is_rolled_back(tmp_path):
    job = Stepping.enqueue(path=str(tmp_path / 'notes'))
    stale = claim.claim(str(job.job_id), 'one', 'default')
    held = stale.claim
    end_orphan(Job.objects.get(pk=job.pk), 'declared dead')
    Job.objects.filter(pk=job.pk).update(status='pending')
    current = claim.claim(str(job.job_id), 'two', 'default')
    with pytest.raises(AlreadyClaimed, match='not run by this process'):
        steps.store(stale, held, 'first', stale.started, 1)
    steps.store(current, current.claim, 'first', current.started, 2)
    assert steps.result_of(current, steps.find(current, 'first')) == 2
    with pytest.raises(IntegrityError):
        JobStep.objects.create(job=job, key=JobStep.objects.get().key, name='first', started=job.created)


def test_a_retry_by_hand_continues_after_the_finished_steps(tmp_path):
    path = str(tmp_path / 'notes')
    job = FailingStep.enqueue(path=path)
    run_jobs(raise_errors=False)
    assert status(job) == 'failed'
    again = job.retry()
    run_jobs()
    assert (status(again), notes(path)) == ('completed', ['first'])
    once_more = again.retry()  # of a job that has completed: as a whole
    run_jobs()
    assert (status(once_more), notes(path)) == ('completed', ['first', 'first'])


def test_steps_of_a_coroutine(tmp_path):
    path = str(tmp_path / 'notes')
    job = Coroutine.enqueue(path=path)
    run_jobs()
    assert (status(job), job.data, notes(path)) == ('completed', 'FETCHED', ['fetched'])


@pytest.mark.parametrize(
    ('how', 'said'),
    [
        ('twice', 'used twice in one run'),
        ('no name', 'expected a text'),
        ('coroutine', 'astep'),
        ('unstorable', 'cannot be stored'),
        ('not looked at', 'if not step.done'),
    ],
)
def test_what_is_a_mistake_is_said(how, said):
    job = Odd.enqueue(how=how)
    run_jobs(raise_errors=False)
    assert status(job) == 'errored'
    assert said in job.error


def test_a_result_that_was_changed_outside_the_app_is_refused(tmp_path):
    path = str(tmp_path / 'notes')
    job = Stepping.enqueue(path=path, fails='after first')
    claimed = claim.claim(str(job.job_id), 'one', 'default')
    steps.store(claimed, claimed.claim, 'first', claimed.started, 'true')
    JobStep.objects.update(result=b'x')
    Job.objects.filter(pk=job.pk).update(status='pending')
    run_jobs(raise_errors=False)
    assert status(job) == 'errored' and 'signed' in job.error


def test_steps_are_deleted_with_their_job_and_a_runner_that_is_called_by_a_test_needs_no_job(tmp_path):
    path = str(tmp_path / 'notes')
    job = Stepping.enqueue(path=path)
    run_jobs()
    assert JobStep.objects.count() == 3
    Job.objects.filter(pk=job.pk).delete()
    assert not JobStep.objects.exists()
    runner = FailingStep(MagicMock(retry_of_id=1))
    runner.run(path)
    assert notes(path)[-1] == 'first' and not JobStep.objects.exists()


def test_the_pages_and_the_terminal_show_the_steps(tmp_path, admin_client, capsys):
    job = Stepping.enqueue(path=str(tmp_path / 'notes'))
    run_jobs()
    page = admin_client.get(f'/admin/netbox_jobs/job/{job.pk}/change/').content.decode()
    assert '>Steps<' in page and '>store<' in page
    call_command('jobs', 'show', str(job.pk))
    assert 'Steps' in capsys.readouterr().out
    call_command('jobs', 'show', str(job.pk), '--json')
    assert '"name": "store"' in capsys.readouterr().out

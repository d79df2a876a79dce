"""What happens to a job that sleeps: cancel, stop, retry, its successor, its limit, a stale worker."""

from datetime import timedelta

import pytest

from netbox_jobs.core import clock
from netbox_jobs.core.suspension import Suspension
from netbox_jobs.lifecycle import claim, suspend
from netbox_jobs.lifecycle.stop import mark_stopping
from netbox_jobs.maintenance.orphans import end_orphan
from netbox_jobs.models import Job, JobStep, LimitSlot
from netbox_jobs.testing import run_jobs
from tests.app.stepping import notes
from tests.app.waiting import LimitedSleeping, Sleeping, end_sleep
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / 'notes')


def reloaded(job):
    return Job.objects.get(pk=job.pk)


def test_p3_a_run_that_has_lost_its_claim_gives_nothing_back(path):
    job = Sleeping.enqueue(path=path)
    stale = claim.claim(str(job.job_id), 'one', 'default')
    end_orphan(reloaded(job), 'declared dead')
    Job.objects.filter(pk=job.pk).update(status='pending')
    claim.claim(str(job.job_id), 'two', 'default')
    pause = Suspension('sleep', '', 1, stale.started, clock.now_ms() + 1000)
    assert not suspend.suspend(stale, pause)
    assert (status(job), job.steps.count(), reloaded(job).worker) == ('running', 0, 'two')


def test_p7_a_sleeping_job_is_canceled_stopped_and_deleted_as_any_that_waits(path):
    jobs = [Sleeping.enqueue(path=path) for _number in range(3)]
    run_jobs()
    assert jobs[0].cancel() and jobs[1].stop()
    jobs[2].delete()
    assert [status(job) for job in jobs[:2]] == ['canceled', 'canceled']
    assert not JobStep.objects.filter(job=jobs[2].pk).exists()
    run_jobs(until=timedelta(hours=2))
    assert 'after-0' not in notes(path)


def test_a_stop_that_is_requested_before_the_sleep_ends_the_job(path, monkeypatch):
    job = Sleeping.enqueue(path=path)
    before = suspend.suspend
    monkeypatch.setattr(
        'netbox_jobs.execution.ending.suspend',
        lambda *args: (mark_stopping(Job.objects.filter(pk=job.pk)), before(*args))[1],
    )
    run_jobs()
    assert (status(job), job.steps.filter(kind='sleep').count()) == ('canceled', 0)


def test_a_retry_by_hand_goes_on_sleeping_until_the_same_time(path):
    job = Sleeping.enqueue(path=path)
    run_jobs()
    job.cancel()
    new = reloaded(job).retry()
    run_jobs()
    assert (status(new), new.steps.get(kind='sleep').until) == ('scheduled', job.steps.get(kind='sleep').until)
    end_sleep(new)
    run_jobs()
    assert (status(new), notes(path)) == ('completed', ['before', 'after-0'])


def test_p4_a_periodic_job_has_its_successor_when_it_has_ended_and_not_while_it_sleeps(path):
    job = Sleeping.enqueue_once(interval=60, path=path)
    run_jobs()
    assert Job.objects.count() == 1 and status(job) == 'scheduled'
    assert Sleeping.enqueue_once(interval=60, path=path).pk == job.pk
    end_sleep(job)
    run_jobs()
    assert status(job) == 'completed'
    assert Job.objects.get(predecessor=job).status == 'scheduled'


def test_p10_a_job_that_sleeps_has_no_slot_of_its_limit_and_waits_for_one_when_it_wakes_up(path):
    first, second = (LimitedSleeping.enqueue(path=path) for _number in range(2))
    run_jobs()
    assert [status(job) for job in (first, second)] == ['scheduled', 'scheduled']
    assert sorted(notes(path)) == ['before', 'before']
    assert not LimitSlot.objects.filter(queue='', job__held=False).exists()
    for job in (first, second):
        end_sleep(job)
    run_jobs()
    assert [status(job) for job in (first, second)] == ['completed', 'completed']

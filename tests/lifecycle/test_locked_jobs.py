"""Beside transactions of others that take long: no worker, and no recovery, waits for the row of a job."""

from datetime import timedelta

import pytest
from django.utils import timezone
from rq.job import Dependency

from netbox_jobs.execution.entry import run_delivered
from netbox_jobs.lifecycle import claim, requeue
from netbox_jobs.lifecycle.claim_next import NextClaim
from netbox_jobs.maintenance import orphans, recovery, slots
from netbox_jobs.models import Job, JobAttempt, PendingChange, Schedule
from tests.app.jobs import Plain, WorkingRetried
from tests.app.models import Thing
from tests.dying import at_each_statement
from tests.processes import status, wait_for
from tests.renaming import rename
from tests.sessions import elsewhere

pytestmark = pytest.mark.django_db(transaction=True)

#: What a view may do to a job that waits.
VIEWS = {
    'writes to its row': lambda job: Job.objects.filter(pk=job.pk).update(name='x'),
    'changes its arguments': lambda job: Plain.enqueue_once(instance=job.object, word='new'),
    'changes its queue': lambda job: Plain.enqueue_once(instance=job.object, queue_name='low'),
    'makes a job that depends on it': lambda job: Plain.enqueue(depends_on=job),
    'cancels it': lambda job: job.cancel(),
    'deletes it': lambda job: job.delete(),
}


def recover():
    """All that the maintenance thread does to jobs that wait."""
    recovery.redeliver_vanished()
    recovery.deliver_due()
    slots.give_slots()
    recovery.settle_dependents()


def age():
    Job.objects.filter(status='pending', due__isnull=False).update(due=1)


@pytest.mark.parametrize('view', VIEWS)
def test_a_worker_leaves_a_job_that_a_view_has_changed_and_recovery_delivers_it_when_the_view_has_ended(view, work):
    job = Plain.enqueue_once(instance=Thing.objects.create())
    age()
    with elsewhere(lambda: VIEWS[view](Job.objects.get(pk=job.pk))):
        work()
        recover()
        found = Job.objects.get(pk=job.pk)
        assert (found.status, found.attempt, found.deliveries) == ('pending', 0, 1)
    for _ in range(3):
        age()
        recover()
        work()
    if view in ('cancels it', 'deletes it'):
        assert not Job.objects.exclude(status='canceled').exists()
        return
    assert set(Job.objects.values_list('status', 'attempt')) == {('completed', 1)}
    if view == 'changes its arguments':
        assert status(job) == 'completed' and job.data == {'word': 'new'}


def test_a_short_transaction_is_waited_for_so_that_its_job_runs_at_once(monkeypatch):
    job = Plain.enqueue()
    waits = []
    hold = elsewhere(lambda: Job.objects.filter(pk=job.pk).update(name='x'))
    hold.__enter__()

    def sleep(seconds):
        waits.append(seconds)
        if len(waits) == 2:
            hold.__exit__(None, None, None)

    monkeypatch.setattr(claim.time, 'sleep', sleep)
    assert claim.claim(str(job.job_id), 'worker', 'default').name == 'x'
    assert len(waits) == 2


def test_the_end_of_a_job_does_not_wait_for_the_next_one_of_its_batch_which_a_view_has_changed():
    first, second = Plain.enqueue_many([{}, {}])
    following = NextClaim(lambda: str(second.job_id))
    with elsewhere(lambda: Job.objects.filter(pk=second.pk).update(name='x')):
        run_delivered(str(first.job_id), next_claim=following)
        assert (status(first), following.job) == ('completed', None)
        assert run_delivered(str(second.job_id)) is None
    assert run_delivered(str(second.job_id)).job.status == 'completed'


@pytest.mark.parametrize('end', ['completed', 'errored'])
def test_the_end_of_a_job_does_not_wait_for_a_view_that_makes_what_depends_on_it(end):
    running = claim.claim(str(Plain.enqueue().job_id), 'worker', 'default')
    made = []
    with elsewhere(lambda: made.extend(Plain.enqueue(depends_on=running) for _ in range(2))):
        running.terminate(end)
        assert status(running) == end
    assert {status(job) for job in made} == ({'pending'} if end == 'completed' else {'errored'})
    assert all(job.due for job in made) == (end == 'completed')


def test_p7_what_depends_on_a_job_that_was_deleted_at_the_moment_of_the_call_does_not_run(work):
    running, waiting = claim.claim(str(Plain.enqueue().job_id), 'worker', 'default'), Plain.enqueue()
    made = [Plain.enqueue(depends_on=job) for job in (running, waiting)]
    allowed = Plain.enqueue(depends_on=Dependency(jobs=[str(running.job_id)], allow_failure=True))
    rows = Job.objects.filter(pk__in=(running.pk, waiting.pk))
    rows._raw_delete('default')  # without the links, which the deletion could not see yet
    recover()
    work()
    assert [status(job) for job in made] == ['errored'] * 2
    assert all('was deleted before it had ended' in job.error for job in made)
    assert status(allowed) == 'completed'


def test_what_depends_on_running_jobs_that_are_deleted_together_does_not_run(work):
    jobs = [claim.claim(str(Plain.enqueue().job_id), 'worker', 'default') for _ in range(2)]
    Job.objects.filter(pk=jobs[1].pk).update(awaited=False)
    after = Plain.enqueue(depends_on=jobs)
    Job.objects.update(awaited=False)  # as long as the caller has not marked them
    Job.objects.exclude(pk=after.pk).delete()
    recover()
    work()
    assert status(after) == 'errored'


def test_the_end_of_a_job_does_not_wait_for_a_view_that_has_changed_what_depends_on_it():
    first = Plain.enqueue()
    after = Plain.enqueue(depends_on=first)
    running = claim.claim(str(first.job_id), 'worker', 'default')
    with elsewhere(lambda: Job.objects.filter(pk=after.pk).update(name='x')):
        running.terminate()
        assert status(first) == 'completed'
        recover()
        assert after.due is None
    recover()
    assert status(after) == 'pending' and after.due


#: What a view may do while a job of the schedule runs that is to be run again.
HOLDERS = {
    'enqueue_once': lambda schedule: Plain.enqueue_once(instance=schedule.object, interval=9),
    'pause': lambda schedule: schedule.pause(),
    'a lock': lambda schedule: Schedule.objects.filter(pk=schedule.pk).update(name='x'),
}


@pytest.mark.parametrize('holder', HOLDERS)
@pytest.mark.parametrize('error', ['an error', None])
def test_a_requeue_does_not_wait_for_a_view_that_holds_the_schedule_and_there_is_one_chain(holder, error, work):
    first = Plain.enqueue_once(instance=Thing.objects.create(), interval=5)
    running = claim.claim(str(first.job_id), 'worker', 'default')
    with elsewhere(lambda: HOLDERS[holder](Schedule.objects.get())):
        assert requeue.requeue(running, 0, after=error)
        assert status(first) == 'scheduled' and first.slot is None
        recover()
        assert PendingChange.objects.count() == 1
    recover()
    assert not PendingChange.objects.exists()
    Schedule.objects.get().resume()
    schedule, slot = first.schedule, Job.objects.values_list('slot', flat=True).get(pk=first.pk)
    if holder == 'enqueue_once':  # it has the slot, and waits for this one
        assert slot is None
        assert Job.objects.get(slot=schedule.pk).predecessor_id == first.pk
    else:
        assert slot == schedule.pk
        assert Plain.enqueue_once(instance=first.object) == first
    for _ in range(2):
        Job.objects.filter(status='scheduled').update(due=1)
        recover()
        work()
    assert Job.objects.ended().count() >= 2
    assert Job.objects.filter(slot=schedule.pk).count() == 1
    assert not Job.objects.waiting().exclude(slot=schedule.pk).exists()


def test_p1_a_process_that_dies_at_any_moment_of_such_a_requeue_leaves_one_attempt_and_one_chain():
    first = Plain.enqueue_once(instance=Thing.objects.create(), interval=5)
    running = claim.claim(str(first.job_id), 'worker', 'default')
    before = Job.objects.values('status', 'worker', 'due', 'retries', 'slot').get(pk=first.pk)
    deaths = at_each_statement(lambda: requeue.requeue(running, 0, claim=running.claim, after='an error'))
    found = []
    with elsewhere(lambda: Schedule.objects.update(name='x')):
        for _ in deaths:
            requeued = status(first) == 'scheduled'
            assert (JobAttempt.objects.count(), PendingChange.objects.count()) == (int(requeued), int(requeued))
            assert Job.objects.filter(pk=first.pk, retries=int(requeued), slot=None).exists()
            found.append(requeued)
            Job.objects.filter(pk=first.pk).update(**before)
            JobAttempt.objects.all().delete()
            PendingChange.objects.all().delete()
            running = Job.objects.get(pk=first.pk)
            claim.take_hold(running)
    assert found[-1] and not found[0]


def test_recovery_does_not_wait_to_requeue_the_job_of_a_dead_worker():
    first = WorkingRetried.enqueue_once(interval=5)
    rename(first, 'tests.app.jobs.DyingAgain')
    claim.claim(str(first.job_id), 'worker', 'default')
    with elsewhere(lambda: Schedule.objects.update(name='x')):
        assert not orphans.end_orphan(Job.objects.get(pk=first.pk), 'gone')
        assert status(first) == 'running'
    assert orphans.end_orphan(Job.objects.get(pk=first.pk), 'gone')
    assert (status(first), first.slot) == ('scheduled', first.schedule_id)


@pytest.mark.process
@pytest.mark.parametrize('options', [(), ('--fast',)])
def test_a_worker_goes_on_while_a_view_holds_jobs_that_wait(start_worker, options):
    due = timezone.now() + timedelta(seconds=1)
    held = [Plain.enqueue(), Plain.enqueue(schedule_at=due), Plain.enqueue(depends_on=Plain.enqueue())]
    with elsewhere(lambda: Job.objects.filter(pk__in=[job.pk for job in held]).update(name='x')):
        start_worker('default', *options)
        for _ in range(3):
            other = Plain.enqueue(schedule_at=due)
            wait_for(lambda other=other: status(other) == 'completed', 60)
        assert {status(job) for job in held} <= {'pending', 'scheduled'}
    for job in held:
        wait_for(lambda job=job: status(job) == 'completed', 60)
        assert job.attempt == 1

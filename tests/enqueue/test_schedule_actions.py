"""Actions on a schedule, while workers claim its jobs."""

import threading
from contextlib import ExitStack, contextmanager

import pytest
from django.db import OperationalError, connection, connections

from netbox_jobs.lifecycle import claim
from netbox_jobs.models import Job, Schedule
from tests.app.jobs import Plain

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def claimed_before_statement(number, job):
    """Have another session claim the job before this session executes its statement of this number.

    Yields a list that holds, afterwards, the claimed job; or None, if there was nothing to claim. A second element says
    that there was no such statement.
    """
    seen, found = [], []
    ready, now = threading.Event(), threading.Event()

    def take():
        try:
            Job.objects.count()  # it connects before it is its turn
            ready.set()
            now.wait(60)
            found.append(claim.claim(str(job.job_id), 'another', 'default'))
        except OperationalError:  # SQLite: "database is locked"; that worker tries again later
            found.append(None)
        finally:
            connections.close_all()

    thread = threading.Thread(target=take)

    def before(execute, *args):
        seen.append(args[0])
        if len(seen) == number:
            now.set()
            thread.join(0.1)  # where it has to wait for us, it waits
        return execute(*args)

    thread.start()
    ready.wait(60)
    with ExitStack() as stack:
        stack.enter_context(connection.execute_wrapper(before))
        yield found
    now.set()  # after the last one, at the latest
    thread.join(60)
    if len(seen) < number:
        found.append(None)


def check_that_a_claimed_job_survives(act):
    """Claim the job of a schedule before each statement of an action; a claimed job keeps its row and its run."""
    survived = 0
    for number in range(1, 20):
        job = Plain.enqueue_once(interval=60)
        schedule = job.schedule
        with claimed_before_statement(number, job) as found:
            act(Job.objects.get(pk=job.pk))
        row = Job.objects.filter(pk=job.pk).first()
        if found[0] is None:
            assert row is None, f'statement {number}'
        else:
            assert row is not None, f'the running job was deleted at statement {number}'
            assert row.status == 'running'
            found[0].terminate()
            survived += 1
        assert not Schedule.objects.filter(pk=schedule.pk).exists()
        assert not Job.objects.waiting().exists(), 'an ended schedule has no next occurrence'
        Job.objects.all().delete()
        if len(found) > 1:
            break
    assert survived


def test_the_end_of_a_schedule_never_deletes_a_job_that_a_worker_has_claimed():
    check_that_a_claimed_job_survives(lambda job: job.schedule.end())


def test_the_deletion_of_a_running_job_never_deletes_the_next_occurrence_that_a_worker_has_claimed():
    for number in range(1, 30):
        first = Plain.enqueue_once(interval=60)
        running = claim.claim(str(first.job_id), 'one', 'default')
        following = Plain.enqueue_once(interval=30)
        assert following.pk != first.pk
        Job.objects.filter(pk=following.pk).update(status='pending', due=1, deliveries=1)
        with claimed_before_statement(number, following) as found:
            Job.objects.get(pk=running.pk).delete()
        row = Job.objects.filter(pk=following.pk).first()
        assert (row is None) == (found[0] is None), f'statement {number}'
        assert not Job.objects.filter(pk=running.pk).exists()
        Job.objects.all().delete()
        Schedule.objects.all().delete()
        if len(found) > 1:
            break


def test_p7_a_schedule_that_another_process_has_ended_is_not_run_again(work):
    """The simulation has found it: `end()` between the call and its first statement, after a job that had run."""
    Plain.enqueue_once(interval=60)
    work()
    schedule = Schedule.objects.get()
    Schedule.objects.get().end()
    assert schedule.run_now() is None
    assert Job.objects.count() == 1 and not Job.objects.waiting().exists()


def test_p4_a_changed_schedule_whose_only_job_has_ended_continues(work):
    job = Plain.enqueue_once()
    work()
    schedule = Schedule.objects.get(pk=Job.objects.get(pk=job.pk).schedule_id)
    schedule.change(interval=60)
    assert schedule.current_job().status == 'scheduled'
    assert Plain.get_jobs().waiting().get().interval == 60

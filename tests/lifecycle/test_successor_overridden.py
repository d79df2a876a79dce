"""P4: one successor also for runners that override `enqueue` or `handle`, and for rows made by hand."""

import pytest

from netbox_jobs.execution import entry
from netbox_jobs.jobs import JobRunner
from netbox_jobs.lifecycle import claim
from netbox_jobs.models import Job, Schedule
from tests.app.jobs import (
    Defaulting,
    Overriding,
    OwnQueue,
    Plain,
    Rearranging,
)
from tests.app.models import Thing
from tests.lifecycle.chains import successor
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_plugin_that_does_it_all_itself_has_one_successor_too(work):
    job = Overriding.enqueue(instance=Thing.objects.create(), interval=10)
    work()
    assert (status(job), job.data) == ('completed', {'marked': 'yes'})
    after = successor(job)
    assert (after.queue_name, after.job_timeout, after.interval) == ('low', 33, 10)
    assert after.get_arguments() == {'marked': 'yes'}
    assert Overriding.get_jobs().count() == 2


def test_a_runner_whose_enqueue_raises_has_a_copied_successor(work):
    class Refusing(JobRunner):
        refuse = False

        @classmethod
        def enqueue(cls, *args, **kwargs):
            if cls.refuse:
                Thing.objects.create(name='half done')
                raise RuntimeError('not today')
            return super().enqueue(*args, **kwargs)

        def run(self, **kwargs):
            type(self).refuse = True

    job = Refusing.enqueue(immediate=True, interval=10, word='x')
    assert status(job) == 'completed'
    after = successor(job)
    assert (after.status, after.get_arguments()) == ('scheduled', {'word': 'x'})
    assert not Thing.objects.filter(name='half done').exists()


@pytest.mark.parametrize('ended', [False, True])
def test_a_row_made_by_hand_and_handled_has_a_successor_that_can_run(work, ended):
    thing = Thing.objects.create()
    job = Job.objects.create(name='by hand', object=thing, interval=60, status='completed' if ended else 'pending')
    Plain.handle(job, word='x')
    after = successor(job)
    assert (after.runner, after.name, after.object) == ('tests.app.jobs.Plain', 'by hand', thing)
    assert after.get_arguments() == {'word': 'x'}
    assert set(Plain.get_jobs(thing)) == {job, after}


def test_a_row_made_by_hand_that_no_runner_handled_recurs_not(caplog):
    job = Job.objects.create(name='by hand', interval=60)
    job.start()
    job.terminate()
    assert status(job) == 'completed'
    assert Job.objects.count() == 1
    assert caplog.text == ''


def test_ending_the_schedule_while_it_runs_ends_the_chain_also_for_plugins_of_their_own(work):
    class Ending(Overriding):
        @classmethod
        def handle(cls, job, *args, **kwargs):
            super().handle(job, *args, **kwargs)

        def run(self, **kwargs):
            self.job.schedule.end()

    Ending.__module__, Ending.__qualname__ = 'tests.app.jobs', 'Ending'
    job = Ending.enqueue(immediate=True, interval=10)
    assert status(job) == 'completed'
    assert Ending.get_jobs().count() == 1


def test_p4_an_enqueue_that_names_the_queue_itself_makes_the_successor(work, caplog):
    job = OwnQueue.enqueue(interval=10, job_timeout=44, word='x')
    work()
    after = successor(job)
    assert (after.queue_name, after.job_timeout, after.get_arguments()) == ('low', 44, {'word': 'x'})
    assert 'copied instead' not in caplog.text
    assert Job.objects.get(pk=job.pk).retry().queue_name == 'low'


def test_an_interval_that_the_run_enqueues_counts_from_then_on(work):
    job = Rearranging.enqueue(interval=60, queue_name='low', to=20)
    work()
    after = successor(job)
    assert (after.interval, after.queue_name) == (20, 'low')
    assert Schedule.objects.get().interval == 20
    after.terminate()
    assert successor(after).interval == 20


def test_a_run_that_hands_on_its_interval_does_not_undo_what_the_schedule_was_changed_to():
    job = Rearranging.enqueue(interval=60, to=60)
    claimed = claim.claim(str(job.job_id), 'w' * 32, 'default')
    job.schedule.change(interval=20)
    with entry.attending(claimed):
        Rearranging.enqueue(interval=60)
    assert Schedule.objects.get().interval == 20


def test_p4_an_enqueue_that_has_defaults_of_its_own_keeps_what_the_row_has(work):
    job = Defaulting.enqueue(interval=10, queue_name='high', job_timeout=44)
    work()
    after, again = successor(job), Job.objects.get(pk=job.pk).retry()
    assert [(found.queue_name, found.job_timeout) for found in (after, again)] == [('high', 44)] * 2
    plain = Defaulting.enqueue(interval=10)
    work()
    assert (successor(plain).queue_name, successor(plain).job_timeout) == ('low', 7200)


def test_p4_the_next_occurrence_of_a_row_made_by_hand_has_a_queue():
    job = Job.objects.create(name='by hand', interval=10)
    Plain.handle(job)
    assert successor(job).queue_name == 'default'

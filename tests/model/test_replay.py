"""Changes that real code makes are replayed against the model; one that it does not know is a violation."""

import pytest

from netbox_jobs.lifecycle import claim, requeue
from netbox_jobs.maintenance import orphans, recovery
from netbox_jobs.models import Job, Schedule
from tests.app.jobs import Failing, Flaky, Plain, WorkingAgain

from .observer import events, forget, observing
from .replay import Replay

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]


@pytest.fixture
def replayed():
    """Observe; the function replays what has happened so far."""
    with observing():
        replay = Replay()

        def play():
            found = events()
            for _number, event in found:
                replay.feed(event)
            forget([number for number, _event in found])
            return replay

        yield play


def test_lives_of_real_jobs_are_allowed(replayed, work):
    Plain.enqueue()
    Failing.enqueue(interval=5)
    Plain.enqueue(depends_on=Plain.enqueue())
    Flaky.enqueue(failures=1)
    Plain.enqueue(immediate=True)
    Plain.enqueue_once(interval=5)
    Plain.enqueue_once(interval=6)
    work()
    recovery.settle_dependents()
    recovery.deliver_due()
    work()
    Job.objects.filter(status='scheduled').first().cancel()
    stopped = Plain.enqueue()
    held = claim.claim(str(stopped.job_id), 'one', 'default')
    stopped.stop()
    held.terminate('canceled')
    died = WorkingAgain.enqueue()
    claim.claim(str(died.job_id), 'two', 'default')
    orphans.end_orphans('two', 'killed')
    released = Plain.enqueue()
    requeue.requeue(claim.claim(str(released.job_id), 'three', 'default'), 0)
    for schedule in Schedule.objects.all()[:1]:
        schedule.change(interval=7)
        schedule.pause()
        schedule.resume()
        schedule.end()
    Job.objects.waiting().first().delete()
    replay = replayed()
    replay.finish()
    assert replay.violations == []
    expected = {'claim', 'deliver', 'delete', 'end a run', 'end a waiting job', 'insert', 'open and deliver'}
    expected |= {'postpone', 'release', 'retry', 'retry after a crash', 'stop'}
    assert expected <= set(replay.writes)


@pytest.mark.parametrize(
    ('values', 'says'),
    [
        ({'status': 'pending'}, 'no write of the model'),
        ({'attempt': 2}, 'no write of the model'),
        ({'worker': 'another'}, 'no write of the model'),
        ({'status': 'completed'}, 'no write of the model'),
        ({'status': 'completed', 'worker': None}, ''),
    ],
)
def test_a_change_by_another_hand_is_a_violation(replayed, values, says):
    job = Plain.enqueue()
    claim.claim(str(job.job_id), 'one', 'default')
    Job.objects.filter(pk=job.pk).update(**values)
    assert says in ''.join(replayed().violations)
    assert bool(says) == bool(replayed().violations)


def test_a_schedule_whose_next_occurrence_is_missing_is_a_violation(replayed):
    Plain.enqueue(interval=5)
    Job.objects.update(status='canceled', slot=None)
    replay = replayed()
    replay.finish()
    assert 'P4' in replay.violations[0]

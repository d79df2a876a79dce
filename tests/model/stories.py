"""Short stories of real code, one for each mutation: what it must not do when it comes too early or too late."""

from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.utils import timezone

from netbox_jobs.lifecycle import cancel, claim, deliver, dependencies, requeue, wait
from netbox_jobs.maintenance import orphans, recovery
from netbox_jobs.models import Job, PausedQueue
from tests.app.jobs import Plain, WorkingAgain
from tests.app.limited import OfTenant

#: Replays what has been written since the last call, as by this actor.
Play = Callable[..., Any]


def _claim(job: Job, token: str = 'one') -> Any:
    return claim.claim(str(job.job_id), token, 'default')


def _fresh(job: Job) -> Job:
    return Job.objects.get(pk=job.pk)


def claimed(play: Play) -> None:
    """A periodic job is claimed."""
    _claim(Plain.enqueue(interval=5))


def claimed_twice(play: Play) -> None:
    """Its id is delivered twice."""
    job = Plain.enqueue()
    _claim(job)
    _claim(job, 'two')


def claimed_gated(play: Play) -> None:
    """An id of a job that depends on another reaches a worker."""
    _claim(Plain.enqueue(depends_on=Plain.enqueue()))


def ended(play: Play) -> None:
    """A run ends."""
    _claim(Plain.enqueue()).terminate()


def ended_twice(play: Play) -> None:
    """An object that was loaded before the end ends the job again."""
    job = Plain.enqueue()
    before = _fresh(job)
    _claim(job).terminate()
    before.terminate('errored')


def _lost(play: Play) -> Any:
    """A worker is declared dead, and another one runs the job."""
    job = WorkingAgain.enqueue()
    stale = _claim(job)
    orphans.end_orphans('one', 'no sign of life')
    Job.objects.update(due=1)
    recovery.deliver_due()
    _claim(job, 'two')
    play()
    return stale


def ended_late(play: Play) -> None:
    """It wakes up and ends the job."""
    _lost(play).terminate()
    play(('one', 1))


def requeued_late(play: Play) -> None:
    """It wakes up and releases the job. (After an error, a constraint would refuse to keep the same attempt twice.)"""
    requeue.requeue(_lost(play), 0)
    play(('one', 1))


def requeued_stopped(play: Play) -> None:
    """A job is stopped between its failure and the retry."""
    job = Plain.enqueue()
    held = _claim(job)
    _fresh(job).stop()
    requeue.requeue(held, 0, after='failed')


def released(play: Play) -> None:
    """A worker cannot import the runner."""
    requeue.requeue(_claim(Plain.enqueue()), 0)


def canceled_late(play: Play) -> None:
    """A job is claimed while a user cancels it."""
    job = Plain.enqueue()
    before = _fresh(job)
    _claim(job)
    play()
    cancel._cancel(before, None)
    play(('a user', 0))


def stopped_early(play: Play) -> None:
    """A job is stopped that waits."""
    _fresh(Plain.enqueue()).stop()


def stopped_twice(play: Play) -> None:
    """A job is stopped by two users."""
    job = Plain.enqueue()
    _claim(job)
    _fresh(job).stop()
    _fresh(job).stop()


def delivered_late(play: Play) -> None:
    """Recovery delivers a job that was claimed since it looked."""
    job = Plain.enqueue()
    before = _fresh(job)
    _claim(job)
    deliver.make_deliverable(before)


def settled_late(play: Play) -> None:
    """A job is canceled while the one that it depends on ends."""
    first = Plain.enqueue()
    before = _fresh(Plain.enqueue(depends_on=first))
    _fresh(before).cancel()
    _claim(first).terminate()
    dependencies.settle_dependent(before)


def paused_late(play: Play) -> None:
    """A schedule is paused while its job is claimed."""
    job = Plain.enqueue(interval=5)
    before = _fresh(job)
    _claim(job)
    wait.put_back(before)


def held_back_late(play: Play) -> None:
    """A queue is paused while its job is claimed."""
    job = Plain.enqueue()
    _claim(job)
    PausedQueue.objects.create(name='default')
    wait.hold_back(str(job.job_id), 'default')


def moved_late(play: Play) -> None:
    """A schedule is changed while its job is claimed."""
    job = Plain.enqueue(interval=5)
    before = _fresh(job)
    _claim(job)
    wait.reschedule(before, timezone.now())


def requeued_limited(play: Play) -> None:
    """A job with a limit of one is to be retried, and another one has its slot."""
    held = _claim(OfTenant.enqueue())
    OfTenant.enqueue()
    requeue.requeue(held, 0, after='failed')


def enqueued_beyond(play: Play) -> None:
    """A job comes whose limit has no slot left, in a transaction: it asks for one after the commit."""
    OfTenant.enqueue()
    with transaction.atomic():
        OfTenant.enqueue()


def paused_limited(play: Play) -> None:
    """The schedule of a job with a limit is paused when it has a slot."""
    wait.put_back(_fresh(OfTenant.enqueue(interval=5)))

"""What people do while everything else breaks: stop, cancel, retry, pause, resume; with notes of what must follow."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from django.db import connections, models, transaction
from django.utils import timezone

from netbox_jobs.exceptions import ArgumentsRefused, RunnerNotFound
from netbox_jobs.models import Job, PausedQueue, QueueLimit, Schedule
from tests.app.counted import WorkingUnique
from tests.app.jobs import WorkingAgain, WorkingUntilStopped
from tests.app.models import Thing
from tests.app.waiting import WorkingAsleep, WorkingSignaled

from .state import State

#: Seconds for which queues and schedules are paused.
PAUSE = 5.0
#: How many press a button at once.
PRESSES = 6


def stop_running(chaos: State) -> None:
    """A job that runs is stopped, unless it ends by itself in the same moment."""
    for job in _some(chaos, Job.objects.running()):
        if job.stop():
            chaos.stopped[job.pk] = time.time()
            return


def stop_endless(chaos: State) -> None:
    """A job that would not end is stopped as soon as it runs; its chain continues."""
    job = chaos.enqueue(WorkingUntilStopped, deaf=chaos.rng.choice((False, True)), interval=60)
    chaos.cannot_complete.add(job.pk)

    def stop() -> None:
        if not Job.objects.filter(pk=job.pk).exists():
            return  # another fault has deleted it
        job.refresh_from_db()
        if job.status == 'running':
            if job.stop():
                chaos.stopped[job.pk] = time.time()
                chaos.deaths[job.pk, job.attempt] = (time.time(), 'a stop')
        elif not job.ended:
            chaos.later(0.2, stop)

    stop()


def stop_and_roll_back(chaos: State) -> None:
    """Jobs are stopped and canceled, in a transaction that rolls back."""
    with transaction.atomic():
        for job in _some(chaos, Job.objects.running())[:3]:
            job.stop()
        for job in _some(chaos, Job.objects.waiting())[:3]:
            job.cancel()
        transaction.set_rollback(True)


def cancel_waiting(chaos: State) -> None:
    """A job that waits is canceled, for good."""
    _cancel_one(chaos, Job.objects.waiting())


def cancel_between_attempts(chaos: State) -> None:
    """A job is canceled that has run before, and waits for its next attempt."""
    _cancel_one(chaos, Job.objects.waiting().filter(attempt__gt=0)) or _cancel_one(chaos, Job.objects.waiting())


def retry_by_hand(chaos: State) -> None:
    """A job that has ended is enqueued once more."""
    without = (WorkingUntilStopped.name, WorkingUnique.name, WorkingAsleep.name, WorkingSignaled.name)
    for job in _some(chaos, Job.objects.ended().exclude(name__in=without)):
        try:
            again = job.retry()
        except (ArgumentsRefused, RunnerNotFound):
            continue
        chaos.enqueued.add(again.pk)
        chaos.retried[again.pk] = job.pk
        return


def press_at_once(chaos: State) -> None:
    """Several people press the same button in the same moment: there is one job."""
    thing, together = Thing.objects.create(), threading.Barrier(PRESSES)
    moment = timezone.now() + timedelta(seconds=2)

    def press(_number: int) -> int:
        together.wait(10)
        try:
            return int(WorkingAgain.enqueue_once(instance=thing, schedule_at=moment, interval=60).pk)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(PRESSES) as people:
        made = set(people.map(press, range(PRESSES)))
    chaos.enqueued |= made
    chaos.pressed.append(made)


def press_unique_at_once(chaos: State) -> None:
    """Several people enqueue the same unique job in the same moment: there is one."""
    page, together = 1000 + len(chaos.pressed), threading.Barrier(PRESSES)
    moment = timezone.now() + timedelta(seconds=10)

    def press(_number: int) -> int:
        together.wait(10)
        try:
            return int(WorkingUnique.enqueue(page=page, schedule_at=moment).pk)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(PRESSES) as people:
        made = set(people.map(press, range(PRESSES)))
    chaos.enqueued |= made
    chaos.pressed.append(made)


def pause_queue(chaos: State) -> None:
    """A queue is paused for a while; jobs may still be enqueued to it."""
    name = chaos.rng.choice(chaos.queues)
    _paused, new = PausedQueue.objects.get_or_create(name=name)
    began = time.time()

    def resume() -> None:
        chaos.paused_queues.append((name, began, time.time()))
        PausedQueue.objects.filter(name=name).delete()

    if new:
        chaos.later(PAUSE, resume)


def limit_queue(chaos: State) -> None:
    """A queue has a limit for a while, as if it was set in the admin."""
    name, most = chaos.rng.choice(chaos.queues), chaos.rng.choice((1, 2))
    if QueueLimit.objects.filter(name=name).exists():
        return
    QueueLimit.set(name, most)
    began = time.time()

    def reset() -> None:
        chaos.limited_queues.append((name, most, began, time.time()))
        QueueLimit.reset(name)

    chaos.later(PAUSE, reset)


def pause_schedule(chaos: State) -> None:
    """A schedule is paused for a while."""
    waiting = Job.objects.waiting().exclude(schedule=None).order_by('pk').values_list('schedule', flat=True)
    schedule = Schedule.objects.filter(pk__in=list(waiting), paused=False).first()
    if schedule is None or not schedule.pause():
        return
    began = time.time()

    def resume() -> None:
        chaos.paused_schedules.append((schedule.pk, began, time.time()))
        schedule.resume()

    chaos.later(PAUSE, resume)


ALL = (
    stop_running, stop_endless, stop_and_roll_back, cancel_waiting, cancel_between_attempts, retry_by_hand,
    press_at_once, press_unique_at_once, pause_queue, limit_queue, pause_schedule,
)  # fmt: skip


def _cancel_one(chaos: State, jobs: 'models.QuerySet[Job]') -> bool:
    for job in _some(chaos, jobs):
        if job.cancel():
            chaos.canceled[job.pk] = time.time()
            return True
    return False


def _some(chaos: State, jobs: 'models.QuerySet[Job]') -> list[Job]:
    """A few of the jobs that count, in an order of the plan's."""
    found = list(jobs.filter(name__startswith='Working').order_by('pk')[:20])
    return chaos.rng.sample(found, len(found))

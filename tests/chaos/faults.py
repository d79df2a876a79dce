"""The faults: each strikes once, at processes and rows that the test has made."""

import os
import signal
from collections.abc import Callable
from typing import Any

from django.db import transaction

from netbox_jobs.broker import delivery
from netbox_jobs.models import Job, Worker
from tests.app.counted import WorkingByKey, WorkingInSteps, WorkingInTurns, WorkingLimited, WorkingRated
from tests.app.jobs import Working, WorkingAgain, WorkingRetried, WorkingRetriedAgain, WorkingTwice
from tests.app.waiting import WorkingAsleep, WorkingSignaled
from tests.processes import cut_sessions
from tests.renaming import rename

from . import steering
from .state import State

Fault = Callable[[State], Any]


# Processes


def kill_horse(chaos: State) -> None:
    """The process of a job is killed from outside, as by the kernel when memory is short."""
    for worker in chaos.shuffled_workers():
        if horses := worker.horses():
            chaos.struck(worker, by='the death of a horse')
            _signal(horses[0], signal.SIGKILL)
            return


def kill_worker(chaos: State) -> None:
    """A worker dies with its job, as when its host goes; another is started at once."""
    worker = chaos.shuffled_workers()[0]
    chaos.struck(worker, by='the death of a worker')
    worker.kill()
    chaos.replace(worker)


def kill_two_workers(chaos: State) -> None:
    """Two of the workers die together."""
    for worker in chaos.shuffled_workers()[:2]:
        chaos.struck(worker, by='the death of a worker')
        worker.kill()
        chaos.replace(worker)


def kill_worker_alone(chaos: State) -> None:
    """A worker dies, and the process of its job is left over."""
    worker = chaos.shuffled_workers()[0]
    chaos.struck(worker, by='the death of a worker')
    worker.signal(signal.SIGKILL)
    worker.process.wait(60)
    chaos.replace(worker)


def suspend_worker(chaos: State) -> None:
    """A worker and its job stand still for longer than the limit, are declared dead, and wake up."""
    worker = chaos.shuffled_workers()[0]
    chaos.struck(worker, by='the death of a worker', suspended=True)
    pids = [worker.pid, *worker.horses()]
    for pid in pids:
        _signal(pid, signal.SIGSTOP)
    chaos.later(chaos.limit * 3, lambda: [_signal(pid, signal.SIGCONT) for pid in pids])


def suspend_run(chaos: State) -> None:
    """A worker stands still in the middle of a job, and wakes up when others have ended that: it comes too late."""
    job = chaos.enqueue(Working, seconds=2)

    def suspend() -> None:
        job.refresh_from_db()
        pid = Worker.objects.filter(token=job.worker or '').values_list('pid', flat=True).first()
        worker = next((worker for worker in chaos.workers if worker.pid == pid), None)
        if worker is not None and job.status == 'running':
            chaos.struck(worker, by='the death of a worker', suspended=True)
            pids = [worker.pid, *worker.horses()]
            for pid in pids:
                _signal(pid, signal.SIGSTOP)
            resume(pids)
        elif not job.ended:
            chaos.later(0.1, suspend)

    def resume(pids: list[int]) -> None:
        found = Job.objects.filter(pk=job.pk).first()  # another fault may have deleted it
        if found is not None and not found.ended:
            chaos.later(0.5, lambda: resume(pids))
            return
        if found is not None and found.status != 'completed':
            chaos.cannot_complete.add(job.pk)
        for pid in pids:
            _signal(pid, signal.SIGCONT)

    suspend()


def stop_worker(chaos: State) -> None:
    """A deploy: SIGTERM to a worker, and a new one in its place."""
    worker = chaos.shuffled_workers()[0]
    worker.signal(signal.SIGTERM)
    chaos.replace(worker)


def stop_worker_twice(chaos: State) -> None:
    """An impatient deploy: a second SIGTERM, which ends the job at once."""
    worker = chaos.shuffled_workers()[0]
    chaos.struck(worker, by='the death of a horse')
    worker.signal(signal.SIGTERM)
    chaos.later(0.5, lambda: worker.process.poll() is None and (chaos.blow(), worker.signal(signal.SIGTERM)))
    chaos.replace(worker)


def kill_horse_before_claim(chaos: State) -> None:
    """The process of a job is killed between RQ's pop and our claim."""
    (chaos.folder / 'kill-horse-before-claim').touch()


def kill_worker_before_claim(chaos: State) -> None:
    """So is its worker with it: RQ has lost the id."""
    (chaos.folder / 'kill-worker-before-claim').touch()


# Servers


def empty_redis(chaos: State) -> None:
    """FLUSHALL."""
    delivery.queue('default').connection.flushall()


def kill_redis(chaos: State) -> None:
    """Redis dies, and comes back empty two seconds later."""
    chaos.redis.kill()
    chaos.later(2, chaos.redis.start)


def silence_redis(chaos: State) -> None:
    """Redis does not answer for two seconds."""
    chaos.redis.suspend()
    chaos.later(2, chaos.redis.resume)


def lose_deliveries(chaos: State) -> None:
    """RQ loses ids that waited in its queues."""
    for name in chaos.queues:
        queue = delivery.queue(name)
        queue.connection.lpop(queue.key)


def deliver_twice(chaos: State) -> None:
    """RQ receives the ids of jobs again: of waiting, running and ended ones."""
    queue = delivery.queue('default')
    for job in Job.objects.filter(name__startswith='Working').order_by('?')[:5]:
        queue.enqueue_call(
            delivery.ENTRY, args=(str(job.job_id),), job_id=f'{job.job_id}-again-{chaos.rng.getrandbits(32)}'
        )


def cut_database(chaos: State) -> None:
    """All sessions but ours are ended by the server."""
    chaos.blow()
    cut_sessions()


# What run() does to itself


def _within(how: str, *runners: type[Working], **arguments: Any) -> Fault:
    def fault(chaos: State) -> None:
        job = chaos.enqueue(chaos.rng.choice(runners), how=how, **arguments)
        if Working in runners and len(runners) == 1:
            chaos.cannot_complete.add(job.pk)

    fault.__name__ = how.replace(' ', '_')
    return fault


SELF_INFLICTED = (
    _within('segmentation fault', Working),
    _within('exits', Working),
    _within('killed', Working, WorkingAgain),
    _within('dies every time', WorkingTwice),
    _within('before the terminal write', Working, WorkingAgain),
    _within('before the successor', Working, WorkingAgain, interval=60),
    _within('before the commit', Working, WorkingAgain, interval=60),
    _within('after it', Working, WorkingAgain, interval=60),
    _within('over time', Working, job_timeout=1),
    _within('over time and deaf', Working, job_timeout=1),
    _within('transaction left open', WorkingAgain, Working),
    _within('transaction broken', Working),
    _within('raises', Working, interval=60),
    _within('before it is given back', WorkingRetried, WorkingRetriedAgain, fails=2),
    _within('before that is committed', WorkingRetriedAgain, fails=2, cron='0 3 * * *'),
    _within('after it is given back', WorkingRetried, WorkingRetriedAgain, fails=2),
    _within('over time', WorkingRetried, job_timeout=1),
    _within('killed', WorkingLimited, WorkingInSteps),
    _within('killed', WorkingRated, WorkingInTurns),
    _within('before the terminal write', WorkingLimited, WorkingRated, WorkingInTurns),
    _within('after it', WorkingLimited, WorkingRated, WorkingInTurns),
    _within('before that is committed', WorkingByKey, fails=1, key='a'),
    _within('before the terminal write', WorkingInSteps),
)


# Rows


def rename_runner(chaos: State) -> None:
    """A runner is no longer where the row says."""
    with transaction.atomic():
        job = chaos.enqueue(Working)
        rename(job, 'tests.app.jobs.WorkingElsewhere')
    chaos.cannot_complete.add(job.pk)


def tamper_with_arguments(chaos: State) -> None:
    """Arguments are changed behind the application's back, or its SECRET_KEY is."""
    with transaction.atomic():
        job = chaos.enqueue(Working)
        Job.objects.filter(pk=job.pk).update(arguments_signature='0' * 64)
    chaos.cannot_complete.add(job.pk)


def delete_waiting(chaos: State) -> None:
    """A job that waits, and has never run, is deleted for good."""
    with transaction.atomic():
        waiting = Job.objects.select_for_update().waiting().filter(name__startswith='Working', attempt=0)
        job = waiting.exclude(
            name__in=(WorkingAsleep.name, WorkingSignaled.name)
        ).first()  # which may have run without an attempt that counts
        if job is not None:
            chaos.deleted_waiting[job.pk] = job.predecessor_id
            job.delete()


def delete_running(chaos: State) -> None:
    """A job that runs is deleted. (One that ends in this very moment is an ended one: its chain continues.)"""
    job = Job.objects.running().filter(name__startswith='Working').first()
    if job is not None:
        chaos.deleted[job.pk] = job.predecessor_id
        job.delete()


def delete_and_roll_back(chaos: State) -> None:
    """Jobs are deleted, in a transaction that rolls back."""
    with transaction.atomic():
        for job in Job.objects.waiting()[:10]:
            job.delete()
        transaction.set_rollback(True)


def enqueue_and_roll_back(chaos: State) -> None:
    """Jobs are enqueued, in a transaction that rolls back."""
    with transaction.atomic():
        for _ in range(5):
            chaos.rolled_back.add(str(Working.enqueue().job_id))
        transaction.set_rollback(True)


ALL: tuple[Fault, ...] = (
    kill_horse, kill_horse, kill_worker, kill_worker, kill_two_workers, kill_worker_alone, suspend_worker,
    suspend_run, stop_worker, stop_worker_twice, kill_horse_before_claim, kill_worker_before_claim, empty_redis,
    kill_redis, silence_redis, lose_deliveries, deliver_twice, cut_database, *SELF_INFLICTED, rename_runner,
    tamper_with_arguments, delete_waiting, delete_running, delete_and_roll_back, enqueue_and_roll_back,
    *steering.ALL,
)  # fmt: skip


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass

"""The faults: each strikes once, at processes that the test has started, and says what it struck."""

import os
import signal
from typing import TYPE_CHECKING

from django.db import connection, transaction

from netbox_jobs import delivery
from netbox_jobs.models import Job

if TYPE_CHECKING:
    from .engine import Chaos


def kill_horse(chaos: 'Chaos') -> None:
    """The process of a job dies."""
    for worker in chaos.shuffled_workers():
        if horses := worker.horses():
            chaos.struck(worker)
            _kill(horses[0], signal.SIGKILL)
            return


def kill_worker(chaos: 'Chaos') -> None:
    """A worker dies with its job, as when its host goes; another is started at once."""
    worker = chaos.shuffled_workers()[0]
    chaos.struck(worker)
    worker.kill()
    chaos.replace(worker)


def suspend_worker(chaos: 'Chaos') -> None:
    """A worker is stopped for longer than the limit, declared dead, and wakes up."""
    worker = chaos.shuffled_workers()[0]
    chaos.struck(worker, suspended=True)
    pids = [worker.pid, *worker.horses()]
    for pid in pids:
        _kill(pid, signal.SIGSTOP)
    chaos.later(chaos.limit * 2.5, lambda: [_kill(pid, signal.SIGCONT) for pid in pids])


def stop_worker(chaos: 'Chaos') -> None:
    """A deploy: SIGTERM to a worker, and a new one."""
    worker = chaos.shuffled_workers()[0]
    worker.signal(signal.SIGTERM)
    chaos.replace(worker)


def empty_redis(chaos: 'Chaos') -> None:
    """FLUSHALL."""
    delivery.queue('default').connection.flushall()


def kill_redis(chaos: 'Chaos') -> None:
    """Redis dies, and comes back empty two seconds later."""
    chaos.redis.kill()
    chaos.redis_down = True
    chaos.later(2, chaos.revive_redis)


def silence_redis(chaos: 'Chaos') -> None:
    """Redis does not answer for two seconds."""
    chaos.redis.suspend()
    chaos.later(2, chaos.redis.resume)


def cut_database(chaos: 'Chaos') -> None:
    """All sessions but ours are ended by the server."""
    with connection.cursor() as cursor:
        if connection.vendor == 'postgresql':
            cursor.execute(
                'SELECT pg_terminate_backend(pid) FROM pg_stat_activity '
                'WHERE datname = current_database() AND pid <> pg_backend_pid()'
            )
        else:
            cursor.execute(
                'SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()'
            )
            for (number,) in cursor.fetchall():
                try:
                    cursor.execute('KILL CONNECTION %s', [number])
                except Exception as error:  # it has ended by itself in the meantime
                    if 'Unknown thread' not in str(error):
                        raise


def deliver_twice(chaos: 'Chaos') -> None:
    """RQ is told the ids of jobs again."""
    queue = delivery.queue('default')
    for job in Job.objects.exclude(runner='').order_by('?')[:5]:
        queue.enqueue_call(
            delivery.ENTRY, args=(str(job.job_id),), job_id=f'{job.job_id}-again-{chaos.rng.getrandbits(32)}'
        )


def lose_delivery(chaos: 'Chaos') -> None:
    """A worker dies between taking an id from RQ and the claim."""
    for name in chaos.queues:
        queue = delivery.queue(name)
        queue.connection.lpop(queue.key)


def delete_waiting(chaos: 'Chaos') -> None:
    """A job that waits is deleted, for good."""
    with transaction.atomic():
        job = Job.objects.select_for_update().waiting().filter(name__startswith='Working').first()
        if job is not None:
            chaos.deleted_waiting.add(job.pk)
            job.delete()


def delete_running(chaos: 'Chaos') -> None:
    """A job that runs is deleted."""
    job = Job.objects.running().filter(name__startswith='Working').first()
    if job is not None:
        chaos.deleted.add(job.pk)
        job.delete()


def delete_and_roll_back(chaos: 'Chaos') -> None:
    """Everything is deleted, in a transaction that rolls back."""
    with transaction.atomic():
        for job in Job.objects.waiting()[:10]:
            job.delete()
        transaction.set_rollback(True)


ALL = (
    kill_horse, kill_horse, kill_worker, kill_worker, suspend_worker, stop_worker, empty_redis, kill_redis,
    silence_redis, cut_database, deliver_twice, lose_delivery, delete_waiting, delete_running, delete_and_roll_back,
)  # fmt: skip


def _kill(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass

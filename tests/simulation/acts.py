"""What workers, users and recovery can do at a simulated site, each as one step of real code."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any, NamedTuple

from django.utils import timezone

from netbox_jobs.broker import connection as broker
from netbox_jobs.core import runs
from netbox_jobs.execution.execution import Execution
from netbox_jobs.lifecycle import claim as claims
from netbox_jobs.lifecycle import wait
from netbox_jobs.lifecycle.requeue import requeue
from netbox_jobs.maintenance import orphans, recovery, slots
from netbox_jobs.models import Job, Schedule
from tests.app.jobs import Plain, WorkingAgain
from tests.app.limited import OfTenant

from .faults import SimulatedRedis
from .site import BEAT, LIMIT, SimulatedWorker, Site


class Act(NamedTuple):
    """Something that can be done now: its name, what does it, and the claim under which it is done."""

    name: str
    do: Callable[[], Any]
    actor: tuple[str, int] | None = None
    #: What becomes of the process that has died doing it, or of what it remembered.
    after: Callable[[bool], Any] = lambda alive: None


def possible(site: Site) -> list[Act]:
    """Return all that can be done now, in a fixed order."""
    return [*_users(site), *_workers(site), *_maintenance(site), *_faults(site)]


def _users(site: Site) -> Iterator[Act]:
    if len(site.active()) < _MOST:
        yield from _enqueue()
    else:
        yield Act('enqueue once', lambda: Plain.enqueue_once(interval=1))
    yield from _change(site)


#: How many jobs may wait or run; a story about more of them tells nothing new.
_MOST = 4


def _enqueue() -> Iterator[Act]:
    yield Act('enqueue', lambda: Plain.enqueue())
    yield Act('enqueue, to be run again after a crash', lambda: WorkingAgain.enqueue())
    yield Act('enqueue, periodic', lambda: WorkingAgain.enqueue(interval=1))
    yield Act('enqueue, limited', lambda: OfTenant.enqueue())
    yield Act('enqueue, limited and periodic', lambda: OfTenant.enqueue(interval=1))
    yield Act('enqueue for later', lambda: Plain.enqueue(schedule_at=timezone.now() + timedelta(seconds=30)))
    yield Act('enqueue once', lambda: Plain.enqueue_once(interval=1))
    yield Act('enqueue once, at another time', lambda: Plain.enqueue_once(interval=2, schedule_at=timezone.now()))


def _change(site: Site) -> Iterator[Act]:
    for key, row in list(site.active().items())[-3:]:
        yield Act(f'cancel job {key}', lambda key=key: _of(key, lambda job: job.cancel()))
        yield Act(f'stop job {key}', lambda key=key: _of(key, lambda job: job.stop()))
        yield Act(f'delete job {key}', lambda key=key: _deleting(site, lambda: _of(key, lambda job: job.delete())))
        yield Act(f'enqueue, after job {key}', lambda key=key: _of(key, lambda job: Plain.enqueue(depends_on=job)))
        if row.slot is not None:
            yield Act(f'enqueue once, after job {key}', lambda key=key: _of(key, _depend_once))
    for key in sorted(site.replay.schedules)[-2:]:
        for name in ('pause', 'resume', 'run_now', 'end'):
            yield Act(
                f'{name} schedule {key}',
                lambda key=key, name=name: _deleting(site, lambda: _of(key, lambda s: getattr(s, name)(), Schedule)),
            )
        yield Act(f'change schedule {key}', lambda key=key: _of(key, lambda s: s.change(interval=3), Schedule))


def _of(key: int, act: Callable[[Any], Any], model: Any = Job) -> None:
    found = model.objects.filter(pk=key).first()
    if found is not None:
        with suppress(model.DoesNotExist):  # another user deletes it at this moment
            act(found)


def _depend_once(job: Job) -> None:
    Plain.enqueue_once(depends_on=Plain.enqueue(), interval=1)


def _deleting(site: Site, act: Callable[[], Any]) -> None:
    site.deletions_allowed = True
    act()


def _workers(site: Site) -> Iterator[Act]:
    for worker in site.workers:
        name = f'{worker.token}: '
        if worker.run is not None:
            yield from _run(site, worker, worker.run, name)
        elif worker.held:
            yield Act(f'{name}claim', lambda w=worker: claim(w), after=lambda alive, w=worker: alive or kill(site, w))
        else:
            yield Act(f'{name}take an id', lambda w=worker: take(site, w, 1))
            yield Act(f'{name}take a batch', lambda w=worker: take(site, w, 2))
        if len(worker.held) > 1 or (worker.held and worker.run is None):
            yield Act(f'{name}put back', lambda w=worker: put_back(site, w))


def _run(site: Site, worker: SimulatedWorker, job: Job, name: str) -> Iterator[Act]:
    def over(alive: bool) -> None:
        worker.run = None
        if not alive:
            kill(site, worker)

    for status in ('completed', 'failed', 'errored'):
        yield Act(f'{name}end job {job.pk} as {status}', lambda s=status: job.terminate(s), worker.actor, over)
    yield Act(f'{name}retry job {job.pk}', lambda: requeue(job, 1, after='failed'), worker.actor, over)
    yield Act(f'{name}release job {job.pk}', lambda: requeue(job, 0), worker.actor, over)
    if job.schedule_id is not None:
        yield Act(f'{name}arrange the next of job {job.pk}', lambda: arrange(job), worker.actor)
        yield Act(f'{name}enqueue once within job {job.pk}', lambda: arrange(job, once=True), worker.actor)
    yield Act(f'{name}the process of job {job.pk} dies', lambda: _child_died(job), None, over)


def take(site: Site, worker: SimulatedWorker, number: int) -> None:
    """Take ids out of Redis."""
    if SimulatedRedis.away:
        return
    queue = broker.queue('default')
    for _ in range(number):
        found = queue.connection.lpop(queue.key)
        if found is not None:
            worker.held.append(found.decode()[:36])


def put_back(site: Site, worker: SimulatedWorker) -> None:
    """Put the ids behind the first one back."""
    if not SimulatedRedis.away:
        queue = broker.queue('default')
        while worker.held:
            queue.connection.lpush(queue.key, worker.held.pop())


def claim(worker: SimulatedWorker) -> None:
    """Claim the first of the ids."""
    job_id = worker.held.pop(0)
    worker.run = claims.claim(job_id, worker.token, 'default')
    if worker.run is None:
        wait.hold_back(job_id, 'default')


def arrange(job: Job, *, once: bool = False) -> None:
    """Enqueue the next occurrence, as `run()` may."""
    with runs.running(Execution(job)):
        runner: Any = next(known for known in (Plain, WorkingAgain, OfTenant) if job.runner.endswith(known.__name__))
        runner.enqueue_once(interval=2) if once else runner.enqueue(interval=2)


def _child_died(job: Job) -> None:
    found = Job.objects.filter(pk=job.pk, status='running', worker=job.worker, attempt=job.attempt).first()
    if found is not None:
        orphans.end_orphan(found, 'Its process was killed.')


def kill(site: Site, worker: SimulatedWorker) -> None:
    """A worker dies with all that it remembers; another one comes in its place."""
    if worker in site.workers:
        site.workers[site.workers.index(worker)] = site.new_worker()


def _maintenance(site: Site) -> Iterator[Act]:
    yield Act('deliver what is due', recovery.deliver_due)
    yield Act('deliver again what Redis has lost', lambda: recovery.redeliver_vanished())
    yield Act('give slots', slots.give_slots)
    yield Act('sweep slots', slots.sweep)
    yield Act('settle dependents', lambda: recovery.settle_dependents())
    for worker in site.workers:
        yield Act(f'{worker.token}: watch', lambda w=worker: watch(w))


def watch(worker: SimulatedWorker) -> None:
    """Give a heartbeat, look at those of the others, and end the jobs of the dead."""
    worker.lease.beat()
    worker.observer.healthy(True)
    worker.observer.look()
    for token, found in worker.observer.dead().items():
        orphans.end_orphans(token, runs=found)


def _faults(site: Site) -> Iterator[Act]:
    yield Act('a second passes', lambda: site.clock.sleep(1))
    yield Act('a minute passes', lambda: site.clock.sleep(61))
    yield Act('Redis is emptied', lambda: SimulatedRedis.away or site.redis.flushall())
    yield Act('Redis is back' if SimulatedRedis.away else 'Redis is away', _switch)
    for worker in site.workers:
        yield Act(f'{worker.token} is killed', lambda w=worker: kill(site, w))
        yield Act(f'{worker.token} stands still', lambda w=worker: stand_still(site, w))


def _switch() -> None:
    SimulatedRedis.away = not SimulatedRedis.away


def stand_still(site: Site, silent: SimulatedWorker) -> None:
    """Let all workers but one give heartbeats for longer than the limit."""
    for _ in range(int(LIMIT / BEAT) + 3):
        site.clock.sleep(BEAT)
        for worker in site.workers:
            if worker is not silent:
                watch(worker)

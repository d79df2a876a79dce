"""Rows against RQ and against the workers that hold them: what disagrees is repaired by conditional UPDATEs.

Any number of processes may do this at once, each repair takes effect once; one of them at a time does it, because
once is enough.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator

from redis.exceptions import RedisError

from . import clock, conf, delivery, queues
from .choices import JobStatusChoices
from .models import Job, Worker, enqueueing, transitions

logger = logging.getLogger('netbox_jobs')

#: A job that waits is compared with RQ when its delivery is older than this, in milliseconds.
DELIVERY_GRACE = 10_000
_BATCH = 500


def deliver_due(older_than: float = 0) -> int:
    """Hand over the scheduled jobs whose time has come; returns how many.

    Args:
        older_than: Seconds for which they must be due already: whoever is only there in case that the others are
            not, leaves the first moments to them.
    """
    jobs = Job.objects.using(transitions.database())
    delivered = 0
    while True:
        due = jobs.filter(status=JobStatusChoices.STATUS_SCHEDULED, due__lte=clock.now_ms() - int(older_than * 1000))
        batch = list(due.order_by('due')[:_BATCH])
        for job in batch:
            if transitions.deliverable(job):
                delivery.deliver(job, inline=False)
                delivered += 1
        if len(batch) < _BATCH:
            return delivered


def redeliver_vanished() -> int:
    """Deliver anew the waiting jobs of which RQ knows nothing (any more); returns how many."""
    redelivered = 0
    known: dict[str, set[str] | None] = {}
    for batch in _overdue():
        missing: dict[str, list[Job]] = defaultdict(list)
        for job in batch:
            if job.queue_name not in known:
                known[job.queue_name] = _ids_in(job.queue_name)
            ids = known[job.queue_name]
            if ids is not None and job.delivery_id not in ids:
                missing[job.queue_name].append(job)
        for queue_name, jobs in missing.items():
            for job in _not_deferred(queue_name, jobs):
                if transitions.deliverable(job):
                    logger.warning('Job %s (%s): RQ has lost its delivery; delivered again.', job.pk, job.name)
                    delivery.deliver(job, inline=False)
                    redelivered += 1
    return redelivered


def _overdue() -> Iterator[list[Job]]:
    """Batches of jobs that were delivered a while ago and wait still, by the index on status and due."""
    waiting = Job.objects.using(transitions.database()).filter(
        status=JobStatusChoices.STATUS_PENDING, due__lte=clock.now_ms() - DELIVERY_GRACE
    )
    after: tuple[int, int] | None = None
    while True:
        rows = waiting if after is None else waiting.filter(due__gte=after[0])
        if after is not None:
            rows = rows.exclude(due=after[0], pk__lte=after[1])
        batch = list(rows.order_by('due', 'pk')[:_BATCH])
        if batch:
            yield batch
        if len(batch) < _BATCH:
            return
        after = (batch[-1].due or 0, batch[-1].pk)


def _ids_in(queue_name: str) -> set[str] | None:
    """The ids that wait in a queue of RQ; None if it cannot be asked."""
    try:
        if not queues.is_async(queue_name):
            return set()
        return set(delivery.queue(queue_name).job_ids)
    except (RedisError, LookupError) as error:
        logger.info('Queue %s cannot be compared with its jobs (%s).', queue_name, error)
        return None


def _not_deferred(queue_name: str, jobs: list[Job]) -> Iterable[Job]:
    """Those that RQ does not hold back on purpose, because they depend on a job of its own."""
    depending = [job for job in jobs if job.options.get('depends_on')]
    if not depending:
        return jobs
    found = delivery.queue(queue_name)
    deferred = set(found.deferred_job_registry.get_job_ids())
    return [job for job in jobs if job.delivery_id not in deferred]


def settle_dependents() -> int:
    """Look again at the jobs that wait for others, in case that an end went by unseen; returns how many are left."""
    gated = Job.objects.using(transitions.database()).filter(status=JobStatusChoices.STATUS_PENDING, due=None)
    # Rows made by hand wait for nobody, and nothing here could run them.
    batch = list(gated.exclude(runner='').order_by('pk')[:_BATCH])
    for job in batch:
        enqueueing.settle_dependent(job)
    return sum(job.due is None and not job.ended for job in batch)


class Observer:
    """Watches the workers' counters by its own monotonic clock; no two clocks need to agree."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int | None, float]] = {}
        self._healthy_since: float | None = None

    def healthy(self, succeeded: bool) -> None:
        """Tell it of each of the observer's own heartbeats: who is cut off itself declares nobody dead."""
        if not succeeded:
            self._healthy_since = None
        elif self._healthy_since is None:
            self._healthy_since = time.monotonic()

    def look(self) -> dict[str, int | None]:
        """Read all counters; returns them by token, with None for claims whose worker has no row."""
        using = transitions.database()
        found: dict[str, int | None] = dict(Worker.objects.using(using).values_list('token', 'beats'))
        claimed = Job.objects.using(using).running().exclude(worker=None).values_list('worker', flat=True).distinct()
        for token in claimed:
            if token is not None:
                found.setdefault(token, None)
        now = time.monotonic()
        for token, beats in found.items():
            if token not in self._seen or self._seen[token][0] != beats:
                self._seen[token] = (beats, now)
        for token in self._seen.keys() - found.keys():
            del self._seen[token]
        return found

    def leads(self, token: str) -> bool:
        """Whether the observer's own token is the first of those that show life: it does what one has to do."""
        limit = time.monotonic() - 15
        alive = [known for known, (beats, since) in self._seen.items() if beats is not None and since > limit]
        return not alive or token <= min(alive)

    def dead(self) -> list[str]:
        """The tokens whose counter has stood still for the whole limit, as long as we were well ourselves."""
        limit = conf.get('WORKER_TIMEOUT')
        now = time.monotonic()
        if self._healthy_since is None or now - self._healthy_since < limit:
            return []
        return [token for token, (_beats, since) in self._seen.items() if now - since >= limit]


def end_orphans(token: str) -> int:
    """End the running jobs of a dead worker, with their successors, and remove its row; returns how many."""
    using = transitions.database()
    worker = Worker.objects.using(using).filter(token=token).first()
    who = f'{worker.name} (process {worker.pid} on {worker.host})' if worker else f'that claimed it as {token}'
    ended = 0
    for job in Job.objects.using(using).running().filter(worker=token):
        logger.warning('Job %s (%s): its worker %s is gone.', job.pk, job.name, who)
        ended += end_orphan(job, f'The worker {who} is gone: no sign of life for {conf.get("WORKER_TIMEOUT")} seconds.')
    if worker is not None and not Job.objects.using(using).running().filter(worker=token).exists():
        worker.delete()
    return ended


def end_own_orphans(token: str) -> int:
    """End what is recorded as running in a worker that runs nothing; returns how many."""
    orphans = Job.objects.using(transitions.database()).running().filter(worker=token)
    return sum(end_orphan(job, 'Its process is gone, and its end could not be recorded then.') for job in orphans)


def end_orphan(job: Job, reason: str) -> bool:
    """End one job on behalf of the worker that cannot; True unless it has been ended, or claimed again, since."""
    job._fence = {'status': JobStatusChoices.STATUS_RUNNING, 'worker': job.worker, 'attempt': job.attempt}
    return transitions.end(job, JobStatusChoices.STATUS_ERRORED, reason)

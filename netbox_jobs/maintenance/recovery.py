"""Rows against RQ and against the workers that hold them: what disagrees is repaired by conditional UPDATEs.

Any number of processes may do this at once, each repair takes effect once; one of them at a time does it, because
once is enough.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator
from datetime import timedelta
from typing import Any

from django.db import OperationalError, connections, transaction
from django.utils import timezone
from redis.exceptions import RedisError

from .. import lifecycle
from ..broker import delivery
from ..choices import JobStatusChoices
from ..core import clock, conf, queues, runner_options
from ..execution import heartbeat
from ..lifecycle.dependencies import settle_dependent
from ..models import Job, JobLogEntry, PausedQueue, Worker, database
from . import sessions

logger = logging.getLogger('netbox_jobs')

#: A job that waits is compared with RQ when its delivery is older than this, in milliseconds.
DELIVERY_GRACE = 5_000
_BATCH = 500
#: Seconds in which Redis tells a worker of a stop, unless it is away.
_TELLING = 3


def _nothing() -> None:
    return None


def deliver_due(older_than: float = 0, between: Callable[[], None] = _nothing) -> int:
    """Hand over the scheduled jobs whose time has come; returns how many.

    Those of a queue that this process cannot reach are left to whoever can.

    Args:
        older_than: Seconds for which they must be due already: whoever is only there in case that the others are
            not, leaves the first moments to them.
        between: Called between two steps, so that whoever has many to deliver can give signs of life.
    """
    jobs = Job.objects.using(database())
    delivered = 0
    resting: set[str] = set()
    while True:
        due = jobs.filter(status=JobStatusChoices.STATUS_SCHEDULED, due__lte=clock.now_ms() - int(older_than * 1000))
        due = due.exclude(predecessor__status__in=JobStatusChoices.ENQUEUED_STATE_CHOICES)
        due = due.exclude(schedule__in=jobs.running().exclude(schedule=None).values('schedule'))
        due = due.exclude(schedule__paused=True)
        due = due.exclude(queue_name__in=_paused()).exclude(queue_name__in=resting)
        batch = list(due.order_by('due')[:_BATCH])
        for job in batch:
            between()
            if job.queue_name in resting or delivery.is_resting(job.queue_name):
                resting.add(job.queue_name)
            elif lifecycle.deliverable(job, unless_paused=True):
                delivery.deliver(job, inline=False)
                delivered += 1
        if len(batch) < _BATCH:
            return delivered


def _paused() -> Any:
    """The names of the paused queues, as a query."""
    return PausedQueue.objects.using(database()).values('name')


def redeliver_vanished(older_than: float = 0, between: Callable[[], None] = _nothing) -> int:
    """Deliver anew the waiting jobs of which RQ knows nothing (any more); returns how many.

    Args:
        older_than: Seconds beyond the usual ones for which they must have been delivered; see `deliver_due()`.
        between: Called between two steps; see `deliver_due()`.
    """
    redelivered = 0
    for job in vanished(older_than, between):
        between()
        if _has_outlived(job):
            lifecycle.cancel(job, f'No worker took it within its ttl of {job.options["ttl"]} seconds.')
        elif not delivery.is_resting(job.queue_name) and lifecycle.deliverable(job):
            logger.warning('Job %s (%s): RQ has lost its delivery; delivered again.', job.pk, job.name)
            delivery.deliver(job, inline=False)
            redelivered += 1
    return redelivered


def vanished(older_than: float = 0, between: Callable[[], None] = _nothing) -> Iterator[Job]:
    """The jobs that were delivered a while ago, wait still, and are in no queue of RQ."""
    known: dict[str, set[str] | None] = {}
    for batch in _overdue(older_than):
        between()
        missing: dict[str, list[Job]] = defaultdict(list)
        for job in batch:
            if job.queue_name not in known:
                known[job.queue_name] = _ids_in(job.queue_name)
            ids = known[job.queue_name]
            if _has_outlived(job):
                yield job  # its id stands in RQ's queue, until a worker comes upon it
            elif ids is not None and job.delivery_id not in ids:
                missing[job.queue_name].append(job)
        for queue_name, jobs in missing.items():
            yield from _not_deferred(queue_name, jobs)


def _has_outlived(job: Job) -> bool:
    """Whether RQ has dropped a delivery that waited for longer than its `ttl`, as it was told to."""
    ttl = job.options.get('ttl') or -1
    return bool(0 < ttl * 1000 <= clock.now_ms() - (job.due or 0))


def _overdue(older_than: float) -> Iterator[list[Job]]:
    """Batches of jobs that were delivered a while ago and wait still, by the index on status and due."""
    waiting = Job.objects.using(database()).filter(
        status=JobStatusChoices.STATUS_PENDING, due__lte=clock.now_ms() - DELIVERY_GRACE - int(older_than * 1000)
    )
    waiting = waiting.exclude(queue_name__in=_paused())
    after: tuple[int, int] | None = None
    while True:
        rows = waiting if after is None else waiting.filter(due__gte=after[0])
        if after is not None:
            rows = rows.exclude(due=after[0], pk__lte=after[1])
        batch = list(rows.order_by('due', 'pk')[:_BATCH])
        if batch:
            after = (batch[-1].due or 0, batch[-1].pk)  # before whoever gets them delivers them anew
            yield batch
        if len(batch) < _BATCH:
            return


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


def settle_dependents(between: Callable[[], None] = _nothing) -> int:
    """Look again at the jobs that need not wait for others any more, in case that an end went by unseen.

    Args:
        between: Called between two steps; see `deliver_due()`.

    Returns:
        How many there were.
    """
    gated = Job.objects.using(database()).filter(status=JobStatusChoices.STATUS_PENDING, due=None)
    # Rows made by hand wait for nobody, and nothing here could run them.
    gated = gated.exclude(runner='')
    # Not those that rightly wait: there may be more of them than a batch, before the one that does not.
    free = gated.exclude(dependencies__status__in=JobStatusChoices.ENQUEUED_STATE_CHOICES)
    batch = list(free.order_by('pk')[:_BATCH])
    for job in batch:
        between()
        try:
            settle_dependent(job)
        except Exception:  # one that cannot be settled does not keep the others from it
            if not connections[database()].is_usable():
                raise
            logger.exception('Job %s (%s), which waits for others, could not be settled.', job.pk, job.name)
    return len(batch)


#: A run of a job: its key, and the number of the attempt.
Claim = tuple[int, int]


class Observer:
    """Watches the workers' counters by its own monotonic clock; no two clocks need to agree.

    It is told of each heartbeat of its own, and looks after it.
    """

    def __init__(self) -> None:
        # Seconds that it has watched, which is what everything here is measured in.
        self._watched = 0.0
        self._last_beat: float | None = None
        self._seen: dict[str, tuple[int | None, float]] = {}
        # The running jobs by key and attempt: whose they are, and since when they have been seen.
        self._claims: dict[Claim, tuple[str, float]] = {}
        self._serving: set[str] = set()
        self._healthy_since: float | None = None

    def healthy(self, succeeded: bool) -> None:
        """Tell it of each of the observer's own heartbeats: who is cut off itself declares nobody dead.

        And a standstill of its own, which may have been everybody's, counts for little: of the time between two of
        its heartbeats it has watched two intervals, or half the limit, at the most.
        """
        now = time.monotonic()
        if self._last_beat is not None:
            self._watched += min(now - self._last_beat, 2 * heartbeat.INTERVAL, conf.get('WORKER_TIMEOUT') / 2)
        self._last_beat = now
        if not succeeded:
            self._healthy_since = None
        elif self._healthy_since is None:
            self._healthy_since = self._watched

    def look(self) -> dict[str, int | None]:
        """Read all counters; returns them by token, with None for claims whose worker has no row."""
        using = database()
        workers = list(Worker.objects.using(using).values_list('token', 'beats', 'queues'))
        found: dict[str, int | None] = {token: beats for token, beats, _queues in workers}
        self._serving = {token for token, _beats, queues in workers if queues}
        running = Job.objects.using(using).running().exclude(worker=None).values_list('pk', 'attempt', 'worker')
        claims = {(pk, attempt): str(token) for pk, attempt, token in running}
        for token in claims.values():
            found.setdefault(token, None)
        now = self._watched
        self._claims = {claim: self._claims.get(claim, (token, now)) for claim, token in claims.items()}
        for token, beats in found.items():
            if token not in self._seen or self._seen[token][0] != beats:
                self._seen[token] = (beats, now)
        for token in self._seen.keys() - found.keys():
            del self._seen[token]
        return found

    def leads(self, token: str) -> bool:
        """Whether the observer's own token is the first of the workers that show life: it does what one has to do.

        Whoever serves no queues is no worker, and does nothing for others.
        """
        limit = self._watched - min(15, conf.get('WORKER_TIMEOUT'))
        alive = [known for known in self._serving & self._seen.keys() if self._seen[known][1] > limit]
        return not alive or token <= min(alive)

    def dead(self, deference: float = 0) -> dict[str, set[Claim]]:
        """The tokens whose counter has stood still for the whole limit, as long as we were well ourselves.

        Each with those of its claims that have been seen for as long: a worker that has come back to life may have
        made one before it has beaten.

        Args:
            deference: So many seconds more, for whoever acts only in case that the others do not.
        """
        limit = conf.get('WORKER_TIMEOUT') + deference
        now = self._watched
        if self._healthy_since is None or now - self._healthy_since < limit:
            return {}
        dead: dict[str, set[Claim]] = {token: set() for token, (_, since) in self._seen.items() if now - since >= limit}
        for claim, (token, since) in self._claims.items():
            if token in dead and now - since >= limit:
                dead[token].add(claim)
        return dead


def end_orphans(token: str, reason: str = '', claims: Container[Claim] | None = None) -> int:
    """Account for the running jobs of a dead worker, and remove its row; returns how many there were.

    Args:
        token: The worker's.
        claims: Those of its claims that are known to be as old as its death; all, if omitted.
        reason: Why it is known to be dead; that it has shown no sign of life, if omitted.
    """
    using = database()
    worker = Worker.objects.using(using).filter(token=token).first()
    who = f'{worker.name} (process {worker.pid} on {worker.host})' if worker else f'that claimed it as {token}'
    reason = reason or f'no sign of life for {conf.get("WORKER_TIMEOUT")} seconds'
    running = Job.objects.using(using).running().filter(worker=token)
    orphans = [job for job in running if claims is None or (job.pk, job.attempt) in claims]
    ended = _end_each(orphans, f'The worker {who} is gone: {reason}.')
    if worker is not None and not Job.objects.using(using).running().filter(worker=token).exists():
        worker.delete()
    return ended


def end_own_orphans(token: str, job_id: str | None = None, unchanged: Callable[[], bool] = lambda: True) -> int:
    """Account for what is recorded as running in a worker that does not run it; returns how many.

    Args:
        token: The worker's.
        job_id: RQ's id of what it runs; None if it runs nothing. Nothing is done while that is no job of ours.
        unchanged: Asked once they have been found: whether it has begun nothing meanwhile, which would be among them.
    """
    running = Job.objects.using(database()).running().filter(worker=token)
    orphans = list(running)
    if job_id is not None:
        # What it runs may run others within itself (`immediate`), later than it has begun.
        current = next((job for job in orphans if str(job.job_id) == job_id[:36]), None)
        since = current.started if current is not None else None
        orphans = [job for job in orphans if since is not None and job.started is not None and job.started < since]
    if not orphans or not unchanged():
        return 0
    return _end_each(orphans, 'Its process is gone, and its end could not be recorded then.')


def _end_each(orphans: Iterable[Job], reason: str) -> int:
    ended = 0
    for job in orphans:
        logger.warning('Job %s (%s): %s', job.pk, job.name, reason)
        try:
            ended += end_orphan(job, reason)
        except Exception:  # one that cannot be ended does not keep the others from it
            if not connections[database()].is_usable():
                raise
            logger.exception('Job %s (%s) could not be ended; it is tried again.', job.pk, job.name)
    return ended


def to_be_stopped(token: str, *, seconds: float = _TELLING) -> list[str]:
    """The ids of the jobs that a worker runs although their end was asked for so long ago: Redis has not told it."""
    asked = timezone.now() - timedelta(seconds=seconds)
    jobs = Job.objects.using(database()).running().filter(worker=token, stopping__lt=asked)
    return [str(job_id) for job_id in jobs.values_list('job_id', flat=True)]


def end_orphan(job: Job, reason: str, *, may_retry: bool = True) -> bool:
    """Account for one running job whose process has died: errored, or given back if its runner asks for that.

    Args:
        job: The job, freshly loaded.
        reason: What became of its process; the job's error.
        may_retry: False for a death that another attempt would only repeat, such as that of a time limit.

    Returns:
        Whether it was accounted for; False if it has been by somebody else, or a lock is in the way, which is
        removed for the next time.
    """
    job._fence = {'status': JobStatusChoices.STATUS_RUNNING, 'worker': job.worker, 'attempt': job.attempt}
    try:
        # In one transaction, so that nobody sees the end without the line that says why.
        with transaction.atomic(using=job._state.db):
            done = _end_or_release(job, reason, may_retry=may_retry)
            if done and job.stopping is None:
                line = {'level': 'error', 'message': reason}
                lines = JobLogEntry.from_dicts(job.pk, [line], job.attempt)
                JobLogEntry.objects.using(job._state.db).bulk_create(lines)
        return done
    except OperationalError as error:
        if job.ended:
            raise
        logger.warning('Job %s (%s) cannot be ended yet (%s).', job.pk, job.name, error)
        sessions.end(job)
        return False


def _end_or_release(job: Job, reason: str, *, may_retry: bool) -> bool:
    if job.stopping is not None:
        return lifecycle.end(job, JobStatusChoices.STATUS_CANCELED, lifecycle.STOPPED, wait=False)
    limit = runner_options.crash_limit(job.runner) if may_retry else 0
    if job.crashes < limit:
        done = lifecycle.release(job, delay=0, after=reason, crashed=True, wait=False) or job.ended
        if not job.ended:
            logger.warning('Job %s (%s) is run again after crash %s of %s.', job.pk, job.name, job.crashes + 1, limit)
        return done
    if limit:
        reason += f' It has crashed {job.crashes + 1} times; it is run again {limit} times at most.'
    return lifecycle.end(job, JobStatusChoices.STATUS_ERRORED, reason, wait=False)

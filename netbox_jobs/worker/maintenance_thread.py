"""The thread beside a worker's loop: gives signs of life, hands over what is due, and recovers what others left."""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import Error as DBError
from django.db import connections

from ..execution import heartbeat
from ..maintenance import recovery, retention, slots, statistics
from ..maintenance.observer import Observer
from ..maintenance.orphans import end_orphans, end_own_orphans, to_be_stopped

logger = logging.getLogger('netbox_jobs')

#: Seconds between looks for scheduled jobs that are due, and between comparisons with RQ.
POLL = 1.0
SWEEP = 5.0
#: Seconds between two rounds of retention, and how many jobs one of them deletes at most.
PRUNE = 600.0
PRUNED = 10_000
#: Seconds between two looks for an hour whose statistics are due.
ADD_UP = 300.0
#: Seconds that a worker which does not lead leaves a due job to the one that does.
DEFERENCE = 2.0
#: How many workers look for due jobs so often, the leader among them; the others do so with the sweep, so that it costs
#: the database no more to have many workers.
DEPUTIES = 3
#: The same for a job that RQ has lost: the leader may be the one who cannot reach Redis, or does not know the queue.
LONG_DEFERENCE = 15.0
#: And it looks for those less often, as a comparison reads all that waits.
COMPARISON = 30.0
#: Seconds in which a worker begins what it has taken out of RQ, or puts it back.
MOMENT = 0.5


class MaintenanceThread(threading.Thread):
    """Runs in every worker. Whether it lives is whether the worker lives: the two share a process."""

    def __init__(
        self, lease: heartbeat.Lease, at_work: Callable[[], tuple[int, str | None]], stop: Callable[[str], None]
    ) -> None:
        """Args:
        lease: The worker's.
        at_work: How many jobs the worker has begun so far, and the id of the one that it is at; None if at none.
        stop: Ends what the worker runs, if it is the job of this id.
        """
        super().__init__(name='netbox_jobs maintenance', daemon=True)
        self._lease = lease
        self._at_work = at_work
        self._end_job = stop
        self._observer = Observer()
        self._left = False
        self._next_comparison = 0.0
        self._over = threading.Event()
        self._woken = threading.Event()
        # Held while the database or Redis is talked to.
        self._busy = threading.Lock()
        # The worker itself has beaten and delivered a moment ago: its first job is not kept waiting by a second time.
        begin = time.monotonic() + POLL
        self._every = {
            self._beat: heartbeat.INTERVAL,
            self._deliver_due: POLL,
            self._see_to_own: SWEEP,
            self._settle_dependents: SWEEP,
            self._redeliver: SWEEP,
            self._prune: PRUNE,
            self._add_up: ADD_UP,
        }
        self._next = dict.fromkeys(self._every, begin) | {self._prune: begin + 60, self._add_up: begin + 30}

    @contextmanager
    def between_duties(self, patience: float = 5) -> Iterator[bool]:
        """For a fork, so that the child inherits nothing half done; a duty that takes long is not waited for.

        Args:
            patience: Seconds to wait for the duty that the thread is at.

        Yields:
            Whether it is at none.
        """
        held = self._busy.acquire(timeout=patience)
        try:
            yield held
        finally:
            if held:
                self._busy.release()

    def run(self) -> None:
        """Until `stop()`."""
        # Held for good: in a child, where this thread is gone, its connections would be closed in the parent's name.
        self._connections = [connections[alias] for alias in connections]
        try:
            while not self._over.is_set():
                now = time.monotonic()
                for duty, due in self._next.items():
                    if due <= now and not self._over.is_set():
                        self._next[duty] = now + self._every[duty]
                        self._do(duty)
                self._woken.wait(max(0.05, min(self._next.values()) - time.monotonic()))
                if self._woken.is_set() and not self._over.is_set():
                    self._woken.clear()
                    self._do(lambda: self._stop_own(seconds=0))
        finally:
            connections.close_all()

    def stop(self) -> None:
        """End the thread and give the lease back; the worker ends in order."""
        self._over.set()
        self._woken.set()
        if self.is_alive():
            self.join(timeout=10)

    def look_for_stop(self) -> None:
        """Look at once whether what the worker runs is to stop."""
        self._woken.set()

    def _do(self, duty: Callable[[], None]) -> None:
        with self._busy:
            try:
                duty()
            except DBError as error:
                logger.warning('The database does not answer (%s); trying again.', error)
                connections.close_all()
            except Exception:
                logger.exception('A duty of the maintenance thread failed; it continues.')
                connections.close_all()

    def _between(self) -> None:
        """Between two steps of a duty that may take long: a sign of life, if it is time; and a fork has its turn."""
        if self._next[self._beat] > time.monotonic():
            return
        self._pause(0.001)
        self._next[self._beat] = time.monotonic() + self._every[self._beat]
        self._beat()

    def _pause(self, seconds: float = MOMENT) -> None:
        """Let others have their turn: workers with what they have just taken, and a fork."""
        self._busy.release()
        try:
            self._over.wait(seconds)
        finally:
            self._busy.acquire()

    def _beat(self) -> None:
        try:
            self._beat_and_look()
        except DBError:
            # A session that was cut is no database that is away: who can connect at once has been there all the time,
            # and so could all the others.
            connections.close_all()
            try:
                self._beat_and_look()
            except DBError:
                self._observer.healthy(False)
                raise
        # Not the leader's business alone: it may have come a moment ago, and must watch for the whole limit first.
        for token, claims in self._observer.dead(0 if self._leads() else heartbeat.INTERVAL).items():
            end_orphans(token, runs=claims)

    def _beat_and_look(self) -> None:
        self._lease.beat()
        self._observer.healthy(True)
        self._observer.look()
        if self._lease.token in self._observer.leaving and not self._left:
            self._left = True  # a second signal would end the running job
            os.kill(os.getpid(), signal.SIGTERM)

    def _leads(self) -> bool:
        return self._observer.leads(self._lease.token)

    def _deliver_due(self) -> None:
        slots.heed()
        recovery.deliver_due(0 if self._leads() else DEFERENCE, self._between)
        slots.give_slots()
        slots.wake_signaled()
        if self._observer.rank(self._lease.token) >= DEPUTIES:
            self._next[self._deliver_due] = time.monotonic() + SWEEP

    def _see_to_own(self) -> None:
        seen = _begun, job_id = self._at_work()
        # Ends that could not be recorded at the time, because the database was away.
        end_own_orphans(self._lease.token, job_id, lambda: self._at_work() == seen)
        if job_id is not None:
            self._stop_own()

    def _stop_own(self, **since: float) -> None:
        for job_id in to_be_stopped(self._lease.token, **since):
            self._end_job(job_id)

    def _redeliver(self) -> None:
        now, leads = time.monotonic(), self._leads()
        if leads or now >= self._next_comparison:
            self._next_comparison = now + COMPARISON
            recovery.redeliver_vanished(0 if leads else LONG_DEFERENCE, self._between, self._pause)

    def _settle_dependents(self) -> None:
        if self._leads():
            recovery.settle_dependents(self._between)

    def _prune(self) -> None:
        if self._leads():
            retention.prune(limit=PRUNED, between=self._between)
            retention.prune_audit(limit=PRUNED)
            slots.sweep()

    def _add_up(self) -> None:
        if self._leads():
            statistics.roll_up(between=self._between)

"""Which workers are alive: an observer watches their heartbeat counters by its own monotonic clock."""

import time

from ..core import conf
from ..execution.heartbeat import INTERVAL
from ..models import Job, Worker, database

#: A run of a job: its primary key, and the number of the attempt.
RunKey = tuple[int, int]


class Observer:
    """Watches the counters of all workers; no two clocks need to agree.

    Call `healthy()` after each heartbeat of its own worker, and `look()` after that.
    """

    def __init__(self) -> None:
        # Seconds that it has watched, which is what everything here is measured in.
        self._watched = 0.0
        self._last_beat: float | None = None
        self._seen: dict[str, tuple[int | None, float]] = {}
        # The running jobs: whose they are, and since when they have been seen.
        self._runs: dict[RunKey, tuple[str, float]] = {}
        self._serving: set[str] = set()
        #: The tokens of the workers that were told to leave.
        self.leaving: set[str] = set()
        self._healthy_since: float | None = None

    def healthy(self, succeeded: bool) -> None:
        """Record a heartbeat of the observer's own worker: one that is cut off itself declares no other dead.

        A standstill of its own, which may have been that of all, counts for little: of the time between two of its
        heartbeats it has watched two intervals, or half the limit, at most.
        """
        now = time.monotonic()
        if self._last_beat is not None:
            self._watched += min(now - self._last_beat, 2 * INTERVAL, conf.get('WORKER_TIMEOUT') / 2)
        self._last_beat = now
        if not succeeded:
            self._healthy_since = None
        elif self._healthy_since is None:
            self._healthy_since = self._watched

    def look(self) -> dict[str, int | None]:
        """Read all counters; return them by token, with None for claims whose worker has no row."""
        using = database()
        workers = list(Worker.objects.using(using).values_list('token', 'beats', 'queues', 'leaving'))
        found: dict[str, int | None] = {token: beats for token, beats, _queues, _leaving in workers}
        self._serving = {token for token, _beats, queues, _leaving in workers if queues}
        self.leaving = {token for token, _beats, _queues, leaving in workers if leaving}
        running = Job.objects.using(using).running().exclude(worker=None).values_list('pk', 'attempt', 'worker')
        claims = {(pk, attempt): str(token) for pk, attempt, token in running}
        for token in claims.values():
            found.setdefault(token, None)
        now = self._watched
        self._runs = {key: self._runs.get(key, (token, now)) for key, token in claims.items()}
        for token, beats in found.items():
            if token not in self._seen or self._seen[token][0] != beats:
                self._seen[token] = (beats, now)
        for token in self._seen.keys() - found.keys():
            del self._seen[token]
        return found

    def leads(self, token: str) -> bool:
        """Return whether this token is the first of the workers that show life: its worker does what one has to do.

        A process that serves no queues is no worker, and does nothing for others.
        """
        return self.rank(token) == 0

    def rank(self, token: str) -> int:
        """Return how many of the workers that show life come before the one with this token."""
        limit = self._watched - min(15, conf.get('WORKER_TIMEOUT'))
        return sum(known < token and self._seen[known][1] > limit for known in self._serving & self._seen.keys())

    def dead(self, deference: float = 0) -> dict[str, set[RunKey]]:
        """Return the tokens whose counter has stood still for the limit, while the observer's own worker was well.

        Each with those of its runs that have been seen for as long: a worker that has come back to life may have
        claimed a job before its next heartbeat.

        Args:
            deference: Seconds beyond the limit, for a worker that acts only if the others do not.
        """
        limit = conf.get('WORKER_TIMEOUT') + deference
        now = self._watched
        if self._healthy_since is None or now - self._healthy_since < limit:
            return {}
        dead: dict[str, set[RunKey]] = {
            token: set() for token, (_, since) in self._seen.items() if now - since >= limit
        }
        for key, (token, since) in self._runs.items():
            if token in dead and now - since >= limit:
                dead[token].add(key)
        return dead

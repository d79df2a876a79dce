"""How many jobs a worker takes from its queues, and how many of them it keeps."""

import time
from typing import Any

from redis.exceptions import RedisError

from .dequeue import Delivery
from .protocol import MOST


class Intake:
    """The jobs of the next batch, and those that follow while that is run."""

    def __init__(self, worker: Any) -> None:
        self._worker = worker
        #: How many jobs the worker runs at most; None for any number.
        self.max_jobs: int | None = None
        #: How many seconds the last `take()` took.
        self.seconds = 0.0

    def take(self) -> list[Delivery]:
        """Take a batch, without waiting for one; the first may be a job of other code."""
        worker, size, begin = self._worker, self._worker.supervisor.size, time.monotonic()
        size.workers = worker.served_by
        found = worker.deliveries.take(min(size.next(worker.deliveries.waiting), max(1, self._room())))
        self.seconds = time.monotonic() - begin
        return self._keep(found, max(1, _plain(found)), size.share(len(found), worker.deliveries.waiting))

    def take_more(self, room: int) -> list[Delivery]:
        """Take what the child, which is still at others, may run after those: none that another worker could run.

        Args:
            room: How many the batch has room for.
        """
        worker, size = self._worker, self._worker.supervisor.size
        count = min(size.fitting(worker.deliveries.waiting), room, self._room())
        if count <= 0 or worker._stop_requested:
            return []
        try:
            found = worker.deliveries.take(count)
        except RedisError as error:
            worker.log_redis_down(error)
            return []
        share = (len(found) + worker.deliveries.waiting) // max(size.workers, 1)
        return self._keep(found, _plain(found), share)

    @property
    def has_more(self) -> bool:
        """Whether this worker is going to run more jobs than it has, as far as it knows."""
        worker = self._worker
        left = self.max_jobs is None or worker.completed + worker.supervisor.assigned < self.max_jobs
        return bool(left and worker.deliveries.waiting and not worker._stop_requested)

    def ends_child(self, jobs: int) -> bool:
        """Whether the child ends after so many jobs more."""
        return bool(self._worker.supervisor.child.jobs + jobs >= self._worker.jobs_per_child())

    def _keep(self, found: list[Delivery], *most: int) -> list[Delivery]:
        """Keep so many; the others are in their queue again."""
        keep = min(most)
        self._worker.deliveries.put_back(found[keep:])
        return found[:keep]

    def _room(self) -> int:
        """How many jobs the child, and this worker, may run besides those that they have."""
        supervisor = self._worker.supervisor
        left = self._worker.jobs_per_child() - (supervisor.child.jobs if supervisor.child else 0)
        if self.max_jobs is not None:
            left = min(left, self.max_jobs - self._worker.completed - supervisor.assigned)
        return int(min(MOST, left))


def _plain(found: list[Delivery]) -> int:
    """How many come before the first that is more than one of ours: that has a batch to itself."""
    return next((number for number, delivery in enumerate(found) if not delivery.plain), len(found))

"""The jobs that a child has been sent: which of them it may still begin, and whose ends RQ's records have noted."""

import time
from typing import Any

from . import reap
from .child_handle import ChildHandle
from .dequeue import Delivery
from .protocol import PLACES, More
from .records import moment

#: Seconds after its beginning in which a batch may be extended: then the worker's other duties have their turn.
STRETCH = 0.5


class Assignment:
    """A batch, from when it is handed over until each of its jobs is accounted for."""

    def __init__(self, worker: Any, child: ChildHandle, batch: list[Delivery], *, last: bool) -> None:
        """Args:
        worker: RQ's worker.
        child: The child that is about to be sent the jobs.
        batch: The jobs.
        last: Whether the child ends after them.
        """
        self._worker, self._child, self.deliveries = worker, child, batch
        self.handed_over = self._extended = time.monotonic()
        self._kept = len(batch)  # how many of them have not been taken back
        self._sent = len(batch)  # how many were sent last
        self._noted = 0  # the ends of how many have been noted
        #: The position of the long job; -1 for none.
        self.long = -1
        child.page.reset(len(batch))
        child.jobs += len(batch)
        child.last, child.done = last, None
        child.failures.clear()

    @property
    def position(self) -> int:
        """The place in the batch of what the child is at; one that has not begun is at the first."""
        return max(self._child.page.position, 0)

    @property
    def current(self) -> Delivery:
        """What the child runs, or was running when it died."""
        return self.deliveries[min(self.position, len(self.deliveries) - 1)]

    @property
    def began(self) -> float:
        """When that began."""
        return self._child.page.times(self.position)[0] or self.handed_over

    @property
    def limit(self) -> int:
        """Its time limit, in seconds; 0 or less for none."""
        return int(self.current.entry.get(b'timeout') or 0)

    @property
    def behind(self) -> int:
        """How many jobs wait behind it."""
        return self._kept - 1 - self._child.page.position

    @property
    def is_ample(self) -> bool:
        """Whether most of what was sent last has not been begun."""
        return self.behind * 2 >= self._sent

    @property
    def idle(self) -> float:
        """Seconds in which the child had not begun, or was done, although the batch was its own."""
        (began, _), (_, ended) = self._child.page.times(0), self._child.page.times(max(self._noted - 1, 0))
        return began - self.handed_over + time.monotonic() - abs(ended)

    @property
    def age(self) -> float:
        """Seconds since jobs were sent last."""
        return time.monotonic() - self._extended

    @property
    def room(self) -> int:
        """How many jobs may be added: none once some have been taken back, or after a while."""
        whole = self._kept == len(self.deliveries) == self._child.page.limit
        if not whole or self.long >= 0 or time.monotonic() - self.handed_over > STRETCH:
            return 0
        return PLACES - self._kept

    def extend(self, more: list[Delivery], *, last: bool) -> None:
        """Have the child run these, too, if it has not come to the end of the others at this moment."""
        self.deliveries += more
        self._sent = len(more)
        self._kept += len(more)
        self._child.jobs += len(more)
        self._child.last = last
        self._child.page.limit, self._extended = self._kept, time.monotonic()
        self._child.send(More(tuple((delivery.id, delivery.job_id or '') for delivery in more), last))

    def take_back(self) -> None:
        """Put back in their queue the jobs that the child has not begun."""
        self._child.page.limit = self._child.page.position + 1
        keep = max(self.position, self._child.page.claiming) + 1  # it may have gone one step further
        back, self._kept = self.deliveries[keep : self._kept], min(keep, self._kept)
        self._worker.deliveries.put_back(back)

    def leave_to_others(self, begun: int) -> None:
        """Put back in their queue the jobs behind those that were begun; a child that has died may have claimed one."""
        self._child.jobs -= len(self.deliveries) - begun
        if self._child.done is None:
            for delivery in self.deliveries[begun : begun + 1]:
                reap.requeue_claimed(delivery.job_id or '')
        self._worker.deliveries.put_back(self.deliveries[begun : self._kept])

    def note_ends(self, *, by_rq: bool = False) -> int:
        """Have RQ's records take note of the jobs that have ended since; returns of how many in all.

        Args:
            by_rq: Whether RQ's own code has run the one job, and recorded its end.
        """
        records, child = self._worker.records, self._child
        if by_rq:
            self._noted = int(child.done is not None)
        while self._noted < max(self._kept, child.done.begun if child.done is not None else 0):
            began, ended = child.page.times(self._noted)
            if not ended:
                break
            delivery, times = self.deliveries[self._noted], (moment(began), moment(abs(ended)))
            if ended > 0:
                records.add(delivery, *times)
            elif self._noted in child.failures:
                records.fail(delivery, *times, child.failures[self._noted])
            else:
                break  # what it failed with is on its way
            self._noted += 1
        return self._noted

    def settle(self, status: int | None) -> None:
        """The child has died, with this wait status: end the job that it was running."""
        current, told, now = self.current, self._child.page.read(), time.monotonic()
        if current.job_id is None:
            return
        overran = now >= told if told > 0 else told == 0 and 0 < self.limit <= now - self.began
        reap.settle(current.job_id, status, limit=self.limit, overran=overran)

"""What the parent and the child process of a worker tell each other.

There are two ways between them, both made before the fork.

The pipe carries messages, each a tuple of this module:

    parent -> child   Batch           run these jobs, in this order
                      More            and these after them; a child whose batch is over passes it by
                      RunWithRQ       run this one job by RQ's own code, with its callbacks
                      None            end
    child -> parent   Failed          a job of the batch has failed, for RQ's failed registry
                      Done            the batch is over; what was not begun is the parent's again

The shared page carries what changes with every job, and what the parent must know although the child has been killed:
which job of the batch is running, which one is claimed with the end of that, when each began and ended, until when the
time limit of `run()` lasts (from the child); how many jobs of the batch may begin, and which job is to stop (from the
parent). Neither side waits for the other to write or to read it.

The child claims a job only when it begins it, or with the end of the one before. So what the parent takes back
(`limit`), or finds not begun in the page of a child that has died, still waits in the database, and goes back to its
queue in Redis. If both sides take a job at the same moment, the claim in the database decides.
"""

import struct
from datetime import datetime
from typing import Any, NamedTuple

from ..execution.time_limit import Span

#: The most jobs that a child is sent at once, and the most that one batch has in the end.
MOST, PLACES = 64, 512


class Batch(NamedTuple):
    """Run these jobs."""

    #: RQ's id of each delivery, and the `job_id` of its job.
    jobs: tuple[tuple[str, str], ...]
    #: Whether the child ends after them, unless some of them are taken back.
    last: bool


class More(NamedTuple):
    """Run these jobs after those of the batch."""

    jobs: tuple[tuple[str, str], ...]
    #: Whether the child ends after them, unless some of them are taken back.
    last: bool


class RunWithRQ(NamedTuple):
    """Run one job of ours with RQ's own code: it has callbacks, or something else that is RQ's business."""

    delivery_id: str
    entry: dict[Any, Any]
    queue_name: str
    execution_id: str
    created_at: datetime
    last: bool


class Failed(NamedTuple):
    """The job at this position of the batch has failed."""

    position: int
    error: str


class Done(NamedTuple):
    """The batch is over."""

    #: How many of its jobs were begun, from the first on.
    begun: int
    #: Whether the child takes another batch.
    more: bool


def _number(offset: int) -> Any:
    """A whole number at this place of the page."""

    def read(page: 'SharedPage') -> int:
        return int(struct.unpack_from('i', page._memory, offset)[0])

    def write(page: 'SharedPage', value: int) -> None:
        struct.pack_into('i', page._memory, offset, value)

    return property(read, write)


class SharedPage(Span):
    """The memory that the parent and the child share; times are on the monotonic clock, which they share as well."""

    _SLOTS = 24  # behind the numbers: when each job began and ended

    def __init__(self) -> None:
        super().__init__(self._SLOTS + 16 * PLACES)
        self.reset(0)

    def reset(self, jobs: int) -> None:
        """In the parent: a batch of so many jobs is about to be sent."""
        self._memory[:] = bytes(len(self._memory))
        self.limit, self.position, self.stop, self.claiming = jobs, -1, -1, -1

    def begin(self, position: int, moment: float) -> bool:
        """In the child: begin the job at this position, unless the parent has taken it back."""
        self.record(0.0)
        struct.pack_into('d', self._memory, self._SLOTS + 16 * position, moment)
        self.position = position
        return position < self.limit

    def may_claim(self, position: int) -> bool:
        """In the child: whether the parent has left it the job at this position, which it then does not take back."""
        self.claiming = position
        return position < self.limit

    def end(self, position: int, moment: float) -> None:
        """In the child: the job at this position has ended; a negative time says that it has failed."""
        struct.pack_into('d', self._memory, self._SLOTS + 16 * position + 8, moment)

    def times(self, position: int) -> tuple[float, float]:
        """When the job at this position began and ended; 0 for what it has not done."""
        began, ended = struct.unpack_from('dd', self._memory, self._SLOTS + 16 * position)
        return began, ended

    #: How many jobs of the batch may begin; the parent lowers it to take the others back.
    limit: Any = _number(8)
    #: Which job the child is at; -1 before the first.
    position: Any = _number(12)
    #: Which job the child claims with the end of the one before, or has claimed so; -1 for none.
    claiming: Any = _number(20)
    #: Which job the parent wants stopped; -1 for none.
    stop: Any = _number(16)

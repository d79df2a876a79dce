"""How many jobs are delivered ahead, and after how many ends of jobs a process looks again who waits for their slots.

A child process of a worker that runs one short job after the other need not look at a line after each of them: others
that were delivered ahead are there to be run. It looks again when half of them may have begun, even if all workers run
as many as it does. What it has not seen, the maintenance threads find within a second. Other processes always look.
"""

import time
from dataclasses import dataclass

from ..core import identity, limits, order
from ..core.limits import Allowance
from ..models import Job
from . import lines
from .lines import Look

#: After so many ends, a process looks whether a queue that had no limit has one.
_ENDS = 20
#: Seconds after which what was counted before weighs less: jobs may have become longer.
_SPAN = 0.5


@dataclass(slots=True)
class _Pace:
    """What this process remembers of a line."""

    #: At which of the next ends it looks at the line.
    ends: int
    #: How many workers served its queue when it was looked at last.
    workers: int = 1
    #: How many jobs have ended here,
    ended: float = 0
    #: and since when, on the monotonic clock.
    since: float = 0.0


_paces: dict[tuple[str, str], _Pace] = {}


def forget() -> None:
    """Look at each line after the next end, and at the workers that there are."""
    _paces.clear()
    lines.forget()


def rests(job: Job, using: str) -> bool:
    """Return whether the end of a job is one after which this process looks at no line."""
    return all((pace := _paces.get((using, name))) is not None and pace.ends > 1 for name in _names(job))


def count_end(job: Job, using: str) -> list[str]:
    """Count the end of a job; return the names of the limits whose lines are to be looked at, if its queue has one."""
    due = []
    for name in _names(job):
        pace = _paces.get((using, name))
        if pace is None or pace.ends <= 1:
            due.append(name)
        else:
            pace.ends -= 1
        if pace is not None:
            pace.ended += 1
    return due


def ahead(name: str, look: Look, using: str) -> Allowance:
    """Return how many jobs in the order of a queue may be delivered ahead.

    A few; at least one for each worker of the queue; and as many as they begin in a moment, if they are short.
    """
    most, pace = max(order.AHEAD, look.workers), _paces.get((using, name))
    if pace is not None:  # one short job says nothing of a rate
        rate = pace.workers * pace.ended / max(order.SECONDS_AHEAD, time.monotonic() - pace.since)
        most = max(most, min(order.MOST_AHEAD, int(rate * order.SECONDS_AHEAD)))
    return Allowance(most)


def note(name: str, look: Look, given: int, using: str) -> None:
    """Note how many jobs are ahead now: `given` more than a look at the line has shown."""
    if identity.is_child_of_worker():
        pending = look.pending + given
        _look_after(pending - pending // 2, name, look.workers, using)


def note_empty(name: str, look: Look, using: str) -> None:
    """Note that no job waits in a line: one lines up only behind others, whose ends show it."""
    if identity.is_child_of_worker():
        workers = sum(name in map(order.line_name, served) for served in look.orders)
        _look_after(order.AHEAD // 2, name, workers, using)


def _look_after(begun: int, name: str, workers: int, using: str) -> None:
    """Look at a line again when all workers together may have begun so many jobs."""
    workers, now = max(1, workers), time.monotonic()
    pace = _paces.setdefault((using, name), _Pace(1, since=now))
    pace.ends, pace.workers = max(1, -(-begun // workers)), workers
    if (age := now - pace.since) > _SPAN:  # the rate stays, as that of half of the span
        pace.ended, pace.since = pace.ended * _SPAN / 2 / age, now - _SPAN / 2


def note_unlimited(queue: str, using: str) -> None:
    """Note that a queue has no limit."""
    if identity.is_child_of_worker():
        _paces[using, limits.queue_limit_name(queue)] = _Pace(_ENDS)


def _names(job: Job) -> list[str]:
    """Return the names of the limits of which the end of a job may free a slot. (A rate has room when time passes.)"""
    names = [limits.queue_limit_name(job.queue_name)]
    if job.limit:
        names.append(job.limit)
    if job.priority != order.DEFAULT or job.fair_key:
        names.append(order.line_name(job.queue_name))
    return names

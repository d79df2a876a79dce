"""The order within a queue: priorities, and turns of keys. Without a row."""

from collections.abc import Callable, Mapping
from typing import Any

from . import limits, options

#: The priority of a job that names none; more is sooner.
DEFAULT = 5
LEAST, MOST = 0, 9
#: So many jobs of a queue that have a place in the order are delivered ahead; at least as many as workers serve it.
AHEAD = 10
#: More are if workers begin them within so many seconds, and not more than so many.
SECONDS_AHEAD, MOST_AHEAD = 0.1, 100
#: Beginning of the names of the lines.
_PREFIX = 'order '
# More than any time in milliseconds that a job can be due.
_BAND = 10**15


def check_priority(value: Any) -> int:
    """Return a priority.

    Raises:
        ValueError: It is no whole number from 0 to 9.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not LEAST <= value <= MOST:
        raise ValueError(
            f'priority is {value!r}; expected a whole number from {LEAST} to {MOST}, where more is sooner.'
        )
    return value


def of_meta(meta: Any, run: Callable[..., Any]) -> tuple[int, str | Callable[..., Any] | None]:
    """Return what the `Meta` of a runner says of the order: `priority` and `fair_by`.

    Raises:
        ValueError: One is not acceptable.
    """
    priority, fair_by = check_priority(getattr(meta, 'priority', DEFAULT)), getattr(meta, 'fair_by', None)
    if not (fair_by is None or callable(fair_by) or (isinstance(fair_by, str) and fair_by)):
        raise ValueError(f'fair_by is {fair_by!r}; expected the name of an argument or a function.')
    if isinstance(fair_by, str) and options.untaken(run, (fair_by,)):
        raise ValueError(f'fair_by is {fair_by!r}, which is no argument of run().')
    return priority, fair_by


def key_of(fair_by: str | Callable[..., Any], run: Callable[..., Any], arguments: Mapping[str, Any]) -> str:
    """Return the key whose turn it is when a job with these arguments begins, as a hash."""
    return limits.digest(limits.name_of('', fair_by, run, arguments))


def line_name(queue: str) -> str:
    """Return the name of the line of the jobs of a queue that have a place in its order."""
    return f'{_PREFIX}{queue}'


def is_line(name: str) -> bool:
    """Return whether this is the name of such a line."""
    return name.startswith(_PREFIX)


def queue_of(name: str) -> str:
    """Return the queue of such a line."""
    return name.removeprefix(_PREFIX)


def place(due: int, priority: int) -> int:
    """Return a number by which jobs of a line are sorted: by priority, and then by the time at which they are due."""
    return due + (DEFAULT - priority) * _BAND


def band(place: int) -> int:
    """Return a number that is the same for all places of one priority, and less for a higher one."""
    return place // _BAND

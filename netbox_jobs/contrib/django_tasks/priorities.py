"""The priority of a task: it decides the queue of its job, or the priority of the job within its queue."""

from collections.abc import Mapping
from math import ceil
from typing import Any

from ...core import order, queues
from ...exceptions import UnknownQueue

#: The option of the backend: for a queue that tasks name, the queues of their jobs by the least priority.
OPTION = 'PRIORITY_QUEUES'
LEAST, MOST = -100, 100
_HIGH, _DEFAULT, _LOW = queues.DEFAULT_QUEUES
DEFAULT: Mapping[str, Mapping[int, str]] = {_DEFAULT: {LEAST: _LOW, 0: _DEFAULT, 1: _HIGH}}


def queue_for(options: Mapping[str, Any], queue_name: str, priority: int) -> str | None:
    """Return the queue for the job of a task.

    Args:
        options: The options of the backend.
        queue_name: The queue that the task names.
        priority: Its priority.

    Returns:
        The queue; None if the tasks of this queue cannot have this priority.
    """
    by_priority = options.get(OPTION, DEFAULT).get(queue_name)
    if by_priority is None:
        return queue_name
    reached = [least for least in by_priority if least <= priority]
    if not reached:
        return None
    name: str = by_priority[max(reached)]
    return name


def job_priority(options: Mapping[str, Any], queue_name: str, priority: int) -> int:
    """Return the priority of the job of a task within its queue: the usual one if the priority decides the queue.

    Args:
        options: The options of the backend.
        queue_name: The queue that the task names.
        priority: Its priority.
    """
    if queue_name in options.get(OPTION, DEFAULT):
        return order.DEFAULT
    if priority < 0:  # the levels below the usual one, for as many priorities each
        return order.DEFAULT - ceil(-priority * (order.DEFAULT - order.LEAST) / -LEAST)
    return order.DEFAULT + ceil(priority * (order.MOST - order.DEFAULT) / MOST)


def problem_of(option: Any) -> str | None:
    """Return what is wrong with the option; None if nothing is."""
    if not isinstance(option, Mapping) or not all(isinstance(found, Mapping) for found in option.values()):
        return f"{OPTION} is {option!r}; expected a dictionary such as {{'default': {{-100: 'low', 1: 'high'}}}}."
    for by_priority in option.values():
        for least, name in by_priority.items():
            if isinstance(least, bool) or not isinstance(least, int) or not LEAST <= least <= MOST:
                return f'{OPTION} has the priority {least!r}; expected a whole number from {LEAST} to {MOST}.'
            try:
                queues.check(name)
            except UnknownQueue as error:
                return f'{OPTION}: {error}'
    return None

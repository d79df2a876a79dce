"""The priority of a task: it decides the queue. Workers serve queues in strict priority, and a queue in order."""

from collections.abc import Mapping
from typing import Any

from ...core import queues
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
    by_priority = options.get(OPTION, DEFAULT).get(queue_name, {0: queue_name})
    reached = [least for least in by_priority if least <= priority]
    if not reached or (len(by_priority) == 1 and priority):
        return None
    name: str = by_priority[max(reached)]
    return name


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

"""The options of jobs that tasks can have: in `@task(...)`, in `using(...)`, and for all tasks in `TASKS`."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self

from ...core import retries

#: Those of a call; see `netbox_jobs.jobs.EnqueueOptions`.
OF_CALL = ('instance', 'job_timeout', 'notifications', 'user', *retries.OPTIONS)
#: Those that a runner has in its `Meta`; see `JobRunner`.
OF_META = ('log_level', 'max_crashes', 'on_crash', 'stop_grace', *retries.OPTIONS)
#: Those that `TASKS` may set for all tasks of a backend.
OF_BACKEND = frozenset({'job_timeout', 'notifications', *OF_META})


class TakesOptions:
    """The part of a task class that takes our options. (The classes of tasks have slots, so this one has none.)"""

    __slots__ = ()

    def using(self, **changes: Any) -> Self:
        """Return the task with other options: those of Django's `using()`, and ours."""
        names = {*OF_CALL, *OF_META, 'unique'}
        ours = {name: changes.pop(name) for name in names & changes.keys()}
        task: Self = super().using(**changes)  # type: ignore[misc]
        return replace(task, **ours) if ours else task  # type: ignore[type-var]


def options_of(task: Any, names: tuple[str, ...], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the options that a task has, or else its backend."""
    found = {name: defaults[name] for name in names if name in defaults}
    for name in names:
        value = getattr(task, name, None)  # a task that was made for another backend has none of ours
        if value is not None:
            found[name] = value
    return found

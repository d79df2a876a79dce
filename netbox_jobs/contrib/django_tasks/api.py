"""The two places where the classes of tasks are defined: Django, from 6.0 on, and the package django-tasks."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class TasksApi:
    """The classes and functions of `django.tasks`, or of `django_tasks`."""

    #: `task_backends`: the backends of the setting `TASKS`, by their names.
    backends: Any
    task: type[Any]
    context: type[Any]
    error: type[Any]
    result: type[Any]
    status: type[Any]
    #: The module that has `task_enqueued`, `task_started` and `task_finished`.
    signals: Any
    invalid_task: type[Exception]
    result_missing: type[Exception]
    normalize: Callable[[Any], Any]


_known: list[TasksApi] = []


def register(api: TasksApi) -> TasksApi:
    """Make the tasks of an API known."""
    _known.append(api)
    return api


def api_of(task: Any) -> TasksApi:
    """Return the API that a task belongs to."""
    return next(api for api in _known if isinstance(task, api.task))

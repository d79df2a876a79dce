"""`TaskCode`: what a worker runs for a job of a task, in the form in which the engine knows callables."""

import inspect
from types import SimpleNamespace
from typing import Any

from ...core import import_path
from ...exceptions import RunnerNotFound
from ...models import Job
from .api import TasksApi, api_of
from .history import Attempt
from .options import OF_META, options_of
from .results import result_of


class TaskCode:
    """The callable of a task. Its path is that of the task, by which pages, metrics and filters know its jobs."""

    def __init__(self, task: Any) -> None:
        self.task = task
        self.api: TasksApi = api_of(task)
        self.run = task.func
        self.__module__, self.__qualname__ = task.func.__module__, task.func.__qualname__
        self.__name__ = task.func.__name__
        try:
            defaults = task.get_backend().options
        except Exception:  # a backend that the settings of this process do not have
            defaults = {}
        self.Meta = SimpleNamespace(**options_of(task, OF_META, defaults))

    def __call__(self, job: Job, /, args: Any = (), kwargs: Any = None, using: Any = None) -> Any:
        """Run the task; what it returns and raises is recorded in `job.data`."""
        given, named = list(args), dict(kwargs or {})
        attempt = Attempt(job)
        if self.task.takes_context:
            given.insert(0, self.api.context(task_result=result_of(job, self.task)))
        if inspect.iscoroutinefunction(self.run):
            return self._await(attempt, given, named)
        try:
            attempt.returned(self.run(*given, **named), self.api.normalize)
        except BaseException as error:
            attempt.failed(error)
            raise
        return None

    async def _await(self, attempt: Attempt, args: list[Any], kwargs: dict[str, Any]) -> None:
        try:
            attempt.returned(await self.run(*args, **kwargs), self.api.normalize)
        except BaseException as error:
            attempt.failed(error)
            raise

    # What `enqueue_once()` asks of a runner

    @property
    def handle(self) -> 'TaskCode':
        """What a job of this task calls."""
        return self

    def overrides(self, name: str) -> bool:
        """Return False: a task has no methods of ours that it could override."""
        return False

    def enqueue(self, **given: Any) -> Job:
        """Enqueue a job of this task."""
        return Job.enqueue(self, **given)


def code_of(path: str) -> TaskCode | None:
    """Return the code of the task at this path; None if there is none."""
    try:
        found = import_path.resolve(path)
    except RunnerNotFound:
        return None
    return found if isinstance(found, TaskCode) else None

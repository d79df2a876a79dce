"""`job_runner()`: one run of a runner's code, without a row."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from django.db.models import Model
from django.utils import timezone

from ..choices import JobStatusChoices
from ..core.options import check_arguments
from ..core.text import storable_data
from ..execution.runner import JobRunner
from ..models import Job, Progress

R = TypeVar('R', bound=JobRunner)


class DetachedJob:
    """A job without a row: `save()` writes nothing, and nothing is read from a database."""

    def __init__(self, job: Job, instance: Model | None, user: Any) -> None:
        """Args:
        job: An unsaved row, which has all other attributes.
        instance: What `object` is.
        user: What `user` is.
        """
        self._job = job
        self.object, self.user = instance, user
        self.object_id = None if instance is None or instance.pk is None else str(instance.pk)
        self.user_id = getattr(user, 'pk', None)
        self.data: Any = None
        #: What was reported last.
        self.progress: Progress | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._job, name)

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Write nothing."""


def job_runner(
    runner: type[R], *, instance: Model | None = None, user: Any = None, name: str = '', interval: int | None = None
) -> R:
    """Return a runner whose `run()` can be called like any function: it returns what it returns, raises what it raises.

    Its job has no row, so that no database is needed. What `run()` leaves is there to be looked at: `runner.job.data`,
    `runner.job.log_entries`, `runner.job.progress`. Await a `run()` that is a coroutine function.

    Args:
        runner: The runner class.
        instance: What `job.object` is; also an object that is not saved.
        user: What `job.user` is.
        name: What `job.name` is; the runner's if omitted.
        interval: What `job.interval` is.

    Raises:
        TypeError: From `run()`: it does not take an argument, or `job.data` cannot be stored as JSON.
    """
    row = Job(name=name or runner.name, interval=interval)
    row.status, row.started, row.attempt = JobStatusChoices.STATUS_RUNNING, timezone.now(), 1
    job = DetachedJob(row, instance, user)
    made = runner(cast(Job, job))

    def report(current: int, total: int | None = None, message: str = '') -> None:
        job.progress = Progress(current=int(current), total=None if total is None else int(total), message=str(message))

    vars(made).update(progress=report, run=_checked(made))
    return made


def _checked(runner: JobRunner) -> Callable[..., Any]:
    """The `run()` of a runner, with the checks that a real run has before and after it."""
    run = runner.run

    def check(kwargs: dict[str, Any]) -> None:
        check_arguments(f'job_runner({type(runner).__name__}).run()', type(runner).run, kwargs.keys())

    def finish(returned: Any) -> Any:
        storable_data(runner.job.data, 'job.data')
        return returned

    if inspect.iscoroutinefunction(run):

        @wraps(run)
        async def arun(*args: Any, **kwargs: Any) -> Any:
            check(kwargs)
            return finish(await run(*args, **kwargs))

        return arun

    @wraps(run)
    def call(*args: Any, **kwargs: Any) -> Any:
        check(kwargs)
        return finish(run(*args, **kwargs))

    return call

"""`self.step()`: what a run does once, however often the job is retried."""

import inspect
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Any, ParamSpec, TypeVar, overload

from asgiref.sync import sync_to_async
from django.db import transaction
from django.utils import timezone

from ..core import runner_options
from ..core.text import check_name
from ..lifecycle import steps
from ..models import Job, cached_sql
from .waits import Waits, begin

T = TypeVar('T')
P = ParamSpec('P')


class Step:
    """A step as `with self.step('store') as step:` gives it."""

    def __init__(self, name: str, result: Any = None, *, done: bool = False) -> None:
        """Args:
        name: Its name.
        result: What it came to, if it is done.
        done: Whether an earlier attempt has finished it.
        """
        self.name = name
        #: What is kept; set it if the step is not done.
        self.result = result
        self._done, self._looked_at = done, False

    @property
    def done(self) -> bool:
        """Whether an earlier attempt has finished the step: then leave it out."""
        self._looked_at = True
        return self._done


class Steps(Waits):
    """The part of a runner that has steps."""

    job: Job

    @overload
    def step(self, name: str) -> AbstractContextManager[Step]: ...
    @overload
    def step(self, name: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T: ...
    def step(self, name: str, function: Callable[..., Any] | None = None, *args: Any, **kwargs: Any) -> Any:
        """Do a part of `run()` that is not done again when the job is retried, after an error or a crash.

        `pages = self.step('fetch', fetch, url)` calls `fetch(url)`, keeps what it returns, and returns it. A later
        attempt returns what was kept. If the process dies after the call and before its result is committed, a later
        attempt calls it again.

        `with self.step('store') as step:` opens a transaction of the database of the jobs. Write in it unless
        `step.done`: what the block has written is committed together with the step, or not at all. Set `step.result`
        to keep it.

        Args:
            name: Of the step, unique in the job.
            function: What to call.
            *args: Its arguments.
            **kwargs: Its keywords.

        Raises:
            ValueError: The run has used the name before.
            TypeError: The result cannot be stored.
            AlreadyClaimed: Another worker runs the job by now, or recovery has ended it. Nothing is stored.
            StepsChanged: The job has steps of another `Meta.version`.
        """
        if function is None:
            return self._step(name)
        name, run = _begin(self, name)
        if run is not None and (found := steps.find(self.job, name)) is not None:
            return steps.result_of(self.job, found)
        started, result = timezone.now(), function(*args, **kwargs)
        if inspect.iscoroutine(result):
            result.close()
            raise TypeError(f'The step {name!r} is a coroutine; use `await self.astep({name!r}, ...)`.')
        _end(self, run, name, started, result)
        return result

    async def astep(self, name: str, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do a step of a coroutine: `await self.astep('fetch', fetch, url)`; see `step()`."""
        name, run = await sync_to_async(_begin)(self, name)
        if run is not None and (found := await sync_to_async(steps.find)(self.job, name)) is not None:
            kept: T = await sync_to_async(steps.result_of)(self.job, found)
            return kept
        started, result = timezone.now(), await function(*args, **kwargs)
        await sync_to_async(_end)(self, run, name, started, result)
        return result

    @contextmanager
    def _step(self, name: str) -> Iterator[Step]:
        name, run = _begin(self, name)
        if run is None:
            yield Step(name)
            return
        if (found := steps.find(self.job, name)) is not None:
            step = Step(name, steps.result_of(self.job, found), done=True)
            yield step
            if not step._looked_at:
                raise RuntimeError(
                    f'The step {name!r} is done, and its block has run again: begin it with `if not step.done:`.'
                )
            return
        with transaction.atomic(using=run.job._state.db):
            step, started = Step(name), timezone.now()
            yield step
            steps.store(run.job, run.job.claim, name, started, step.result, runner_options.version(type(self)))


def _begin(runner: Steps, name: str) -> tuple[str, Any]:
    """Return the name of a step as it is stored, and the run that it belongs to.

    There is none where a test calls `run()` of a runner itself.

    Raises:
        ValueError: It has used the name before.
        StepsChanged: The job has steps of another `Meta.version`.
    """
    name, run = check_name('step', name), begin(runner)
    if run is None:
        return name, None
    if name in run.steps:
        raise ValueError(
            f'The step {name!r} is used twice in one run; name steps by what differs, such as {name + " 2"!r}.'
        )
    run.steps.add(name)
    return name, run


def _end(runner: Steps, run: Any, name: str, started: datetime, result: Any) -> None:
    if run is not None:
        version, patience = runner_options.version(type(runner)), cached_sql.PATIENCE
        run.persist(lambda: steps.store(run.job, run.job.claim, name, started, result, version, patience=patience))

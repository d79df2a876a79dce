"""A runner with the options of a call: what is enqueued with it takes the arguments of `run()` alone."""

from typing import Any, Generic, ParamSpec

from asgiref.sync import sync_to_async

from ..core.options import as_keywords, check_options
from ..models import Job

P = ParamSpec('P')


class Call:
    """A runner with the options and the arguments of a call: what workflows are made of; see `Using.call()`."""

    def __init__(self, runner: Any, keywords: dict[str, Any]) -> None:
        """Args:
        runner: The runner class.
        keywords: Those of its `enqueue()`.
        """
        self.runner, self.keywords = runner, keywords


class Using(Generic[P]):
    """A runner, and the options of the calls that are made with it; see `JobRunner.using()`."""

    def __init__(self, runner: Any, options: dict[str, Any]) -> None:
        """Args:
            runner: The runner class.
            options: See `EnqueueOptions`.

        Raises:
            TypeError: There is no such option.
        """
        check_options(f'{runner.__name__}.using()', options)
        self._runner, self._options = runner, options

    def call(self, *args: P.args, **kwargs: P.kwargs) -> Call:
        """Return a member of a workflow; takes the arguments of `run()`, by their names, and enqueues nothing."""
        return Call(self._runner, {**self._options, **self._arguments(args, kwargs)})

    def enqueue(self, *args: P.args, **kwargs: P.kwargs) -> Job:
        """Store a new job; takes the arguments of `run()`, by their names."""
        made: Job = self._runner.enqueue(**self._options, **self._arguments(args, kwargs))
        return made

    def enqueue_once(self, *args: P.args, **kwargs: P.kwargs) -> Job:
        """Keep the runner scheduled exactly once; takes the arguments of `run()`, by their names."""
        made: Job = self._runner.enqueue_once(**self._options, **self._arguments(args, kwargs))
        return made

    async def aenqueue(self, *args: P.args, **kwargs: P.kwargs) -> Job:
        """Call `enqueue()` from asynchronous code."""
        return await sync_to_async(self.enqueue)(*args, **kwargs)

    async def aenqueue_once(self, *args: P.args, **kwargs: P.kwargs) -> Job:
        """Call `enqueue_once()` from asynchronous code."""
        return await sync_to_async(self.enqueue_once)(*args, **kwargs)

    def _arguments(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        if args:
            raise TypeError(
                f'{self._runner.__name__}.using().enqueue() got {len(args)} positional argument(s); '
                'give the arguments of run() by their names.'
            )
        return as_keywords(kwargs)

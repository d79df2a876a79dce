"""A coroutine that is run to its end from code that is not asynchronous."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from asgiref.sync import async_to_sync


class CoroutineRunner:
    """Runs one coroutine at a time, and has its task cancelled from any thread, or by a signal handler."""

    def __init__(self) -> None:
        self._cancel: Callable[[], Any] | None = None

    def run(self, coroutine: Coroutine[Any, Any, Any], *, unwanted: Callable[[], bool]) -> None:
        """Run it to its end.

        Args:
            coroutine: What to run.
            unwanted: Whether it is to be cancelled before it has begun; asked when `cancel()` would reach it already,
                so that no moment lies between the two.

        Raises:
            asyncio.CancelledError: It was cancelled.
        """
        async_to_sync(self._attend)(coroutine, unwanted)

    async def _attend(self, coroutine: Coroutine[Any, Any, Any], unwanted: Callable[[], bool]) -> None:
        loop, task = asyncio.get_running_loop(), asyncio.ensure_future(coroutine)
        self._cancel = lambda: loop.call_soon_threadsafe(task.cancel)
        try:
            if unwanted():
                task.cancel()
            await task
        finally:
            self._cancel = None

    def cancel(self) -> bool:
        """Cancel the task that runs, if one does; returns whether one does."""
        cancel = self._cancel
        if cancel is None:
            return False
        cancel()
        return True

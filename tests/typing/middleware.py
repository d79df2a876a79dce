"""Middleware, for type checkers: each class is what the protocol says."""

from collections.abc import Awaitable, Callable

from netbox_jobs.context import (
    AsyncEnqueueMiddleware,
    AsyncRunMiddleware,
    EnqueueCall,
    EnqueueMiddleware,
    RunMiddleware,
    acting,
)
from netbox_jobs.models import Job


class Both:
    def around_enqueue(self, call: EnqueueCall, proceed: Callable[[], None]) -> None:
        call.calls[0]['queue_name'] = call.runner
        proceed()

    def around_run(self, job: Job, proceed: Callable[[], None]) -> None:
        with acting(name=job.name):
            proceed()


class AsyncBoth:
    async def around_enqueue(self, call: EnqueueCall, proceed: Callable[[], Awaitable[None]]) -> None:
        await proceed()

    async def around_run(self, job: Job, proceed: Callable[[], Awaitable[None]]) -> None:
        await proceed()


enqueue: EnqueueMiddleware = Both()
run: RunMiddleware = Both()
async_enqueue: AsyncEnqueueMiddleware = AsyncBoth()
async_run: AsyncRunMiddleware = AsyncBoth()

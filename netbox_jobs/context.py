"""Around jobs: which one runs right now, what jobs take along, who acts, and the types of middleware."""

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol

from .core.actors import acting
from .core.contexts import JobContext
from .core.middleware import EnqueueCall
from .core.runs import current_run

if TYPE_CHECKING:  # Django imports this module before it loads models, where LOGGING names the filter
    from .models import Job

__all__ = (
    'AsyncEnqueueMiddleware',
    'AsyncRunMiddleware',
    'EnqueueCall',
    'EnqueueMiddleware',
    'JobContext',
    'JobIdFilter',
    'RunMiddleware',
    'acting',
    'current_job',
)


def current_job() -> 'Job | None':
    """The job that the calling code is part of, anywhere below its `run()`; None outside of one.

    Also in `asyncio`, and in the threads that a job starts in a worker. With `immediate`, where other jobs may run in
    the same process, a thread must be started in a copy of the context, as `asyncio.to_thread()` does.
    """
    run = current_run()
    return run.job if run is not None else None


class JobIdFilter(logging.Filter):
    """A filter for `LOGGING`: gives every record, of any logger, the `job_id` and `job_name` of the current job.

    Both are '-' outside of one, so that they can stand in a format.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        job = current_job()
        record.job_id = str(job.job_id) if job is not None else '-'
        record.job_name = job.name if job is not None else '-'
        return True


class EnqueueMiddleware(Protocol):
    """What surrounds each call that enqueues. `NETBOX_JOBS['MIDDLEWARE']` lists such classes by their paths."""

    def around_enqueue(self, call: EnqueueCall, proceed: Callable[[], None]) -> Any:
        """Surround a call; what it raises, the call raises.

        Args:
            call: The call; its `calls` may be changed, its `jobs` are there after `proceed()`.
            proceed: What is surrounded; call it once, or raise.
        """


class AsyncEnqueueMiddleware(Protocol):
    """The same as a coroutine function."""

    async def around_enqueue(self, call: EnqueueCall, proceed: Callable[[], Awaitable[None]]) -> Any:
        """See `EnqueueMiddleware`; await `proceed()`."""


class RunMiddleware(Protocol):
    """What surrounds each `run()`. `NETBOX_JOBS['MIDDLEWARE']` lists such classes by their paths."""

    def around_run(self, job: 'Job', proceed: Callable[[], None]) -> Any:
        """Surround a run; what it raises ends the job as if `run()` had raised it.

        Args:
            job: The running job.
            proceed: What is surrounded; call it once, or raise.
        """


class AsyncRunMiddleware(Protocol):
    """The same as a coroutine function."""

    async def around_run(self, job: 'Job', proceed: Callable[[], Awaitable[None]]) -> Any:
        """See `RunMiddleware`; await `proceed()`."""

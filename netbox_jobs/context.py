"""Which job the code that runs right now belongs to, and what jobs take along from the call that enqueues them."""

import logging
from typing import TYPE_CHECKING

from .core.actors import acting
from .core.contexts import JobContext
from .core.runs import current_run

if TYPE_CHECKING:  # Django imports this module before it loads models, where LOGGING names the filter
    from .models import Job

__all__ = ('JobContext', 'JobIdFilter', 'acting', 'current_job')


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

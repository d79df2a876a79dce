"""Which job the code that runs right now belongs to."""

import logging

from .core.runs import current_job

__all__ = ('JobIdFilter', 'current_job')


class JobIdFilter(logging.Filter):
    """A filter for `LOGGING`: gives every record, of any logger, the `job_id` and `job_name` of the current job.

    Both are '-' outside of one, so that they can stand in a format.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        job = current_job()
        record.job_id = str(job.job_id) if job is not None else '-'
        record.job_name = job.name if job is not None else '-'
        return True

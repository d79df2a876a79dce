"""Signals around the run of a job; both are sent after the status has been committed.

`sender` is the `Job` instance. A receiver that raises is logged and changes no status.

- `job_start`: once for each run, when it begins.
- `job_end`: once for each job, when its terminal status has been recorded, also when it was recorded by
  recovery on behalf of a worker that died.
"""

from django.dispatch import Signal

__all__ = ('job_end', 'job_start')

job_start = Signal()
job_end = Signal()

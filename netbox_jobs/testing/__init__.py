"""Helpers for the tests of a project: run its jobs in the test's process, and look at what was enqueued.

None of them needs Redis, but `real_worker()`, which starts a server of its own.
"""

from .assertions import (
    aassert_enqueued,
    aassert_not_enqueued,
    aenqueued_jobs,
    assert_enqueued,
    assert_not_enqueued,
    enqueued_jobs,
)
from .captured import captured_jobs
from .detached import job_runner
from .real_worker import RealWorker, real_worker
from .runs import arun_jobs, run_jobs

__all__ = (
    'RealWorker',
    'aassert_enqueued',
    'aassert_not_enqueued',
    'aenqueued_jobs',
    'arun_jobs',
    'assert_enqueued',
    'assert_not_enqueued',
    'captured_jobs',
    'enqueued_jobs',
    'job_runner',
    'real_worker',
    'run_jobs',
)

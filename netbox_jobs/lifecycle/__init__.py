"""The only code that changes a job's status: one file for each transition.

Each change is one conditional UPDATE, so that the row decides. Where a chain of jobs is touched, its schedule is locked
before the job, here and everywhere, so that no two callers wait for each other. Importing this package provides the
services of `models/services.py` and connects the receivers of Django's signals.
"""

from . import audit, cancel, claim, deletion, finish, job_signals, queue_limits, stop, workflow_cancel

__all__ = ('audit', 'cancel', 'claim', 'deletion', 'finish', 'job_signals', 'queue_limits', 'stop', 'workflow_cancel')

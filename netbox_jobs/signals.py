"""Signals around the run of a job, sent after its status has been committed; and one for each action of a person.

The `sender` of the first two is the `Job` instance. A receiver that raises is logged and changes no status.

- `job_start`: once for each run, when it begins.
- `job_end`: once for each job, when its terminal status has been recorded, also when it was recorded by
  recovery on behalf of a worker that died.

`job_audited` is sent for each entry of the audit trail, after the commit; its `sender` is the model `AuditEntry`, and
`entry` the row.
"""

from django.dispatch import Signal

__all__ = ('job_audited', 'job_end', 'job_start')

job_start = Signal()
job_end = Signal()
job_audited = Signal()

"""From a call of `enqueue()` to a stored job: the checked request, its rows, unique jobs, batches, schedule actions.

Importing this package provides the services of `models/services.py` and connects the receivers of Django's signals.
"""

from . import insert, join, retry, schedule_actions, unsaved, workflow_retry

__all__ = ('insert', 'join', 'retry', 'schedule_actions', 'unsaved', 'workflow_retry')

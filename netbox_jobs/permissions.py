"""What a user may do with a job: the checks of the plugin tags, for use in other views."""

from .monitoring.permissions import (
    CANCEL,
    DELETE,
    INSPECT,
    RETRY,
    VIEW,
    may_cancel,
    may_delete,
    may_inspect,
    may_retry,
    may_view,
    visible_jobs,
)

__all__ = (
    'CANCEL',
    'DELETE',
    'INSPECT',
    'RETRY',
    'VIEW',
    'may_cancel',
    'may_delete',
    'may_inspect',
    'may_retry',
    'may_view',
    'visible_jobs',
)

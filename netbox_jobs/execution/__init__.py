"""What happens around `run()`. RQ calls `perform()` by this path: it stands in Redis."""

from . import workflows
from .entry import perform

__all__ = ('perform', 'workflows')

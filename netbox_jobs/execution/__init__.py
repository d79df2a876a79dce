"""What happens around `run()`. RQ calls `perform()` by this path: it stands in Redis."""

from .entry import perform

__all__ = ('perform',)

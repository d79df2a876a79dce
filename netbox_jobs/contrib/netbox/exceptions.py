"""Exceptions that job code of plugins raises, or catches, around its work."""

__all__ = ('AbortRequest', 'AbortScript', 'AbortTransaction', 'PermissionsViolation', 'SyncError')


class AbortRequest(Exception):
    """Raise it to end a request, or what is done for one; `message` says why."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class AbortScript(Exception):
    """Raise it to end a script."""


class AbortTransaction(Exception):
    """Raise it in `transaction.atomic()` to roll the transaction back, and catch it around that."""


class PermissionsViolation(Exception):
    """Raise it where an object would not be within the user's permissions."""

    message = "This would violate the user's permissions for objects."


class SyncError(Exception):
    """Raise it where data cannot be synchronized."""

"""Querysets of jobs."""

from typing import Any, Self, TypeVar

from django.db import models

from ..choices import JobStatusChoices

J = TypeVar('J', bound=models.Model)


class JobQuerySet(models.QuerySet[J]):
    """Jobs, by where they stand."""

    def waiting(self) -> Self:
        """Those that are still to run."""
        return self.filter(status__in=JobStatusChoices.WAITING_STATE_CHOICES)

    def running(self) -> Self:
        """Those that run now."""
        return self.filter(status=JobStatusChoices.STATUS_RUNNING)

    def ended(self) -> Self:
        """Those in a terminal status."""
        return self.filter(status__in=JobStatusChoices.TERMINAL_STATE_CHOICES)

    def defer(self, *fields: Any) -> Self:
        """`log_entries` may be named: it is never loaded with the row anyway."""
        names = tuple(field for field in fields if field != 'log_entries')
        return super().defer(*names) if names else self._chain()  # type: ignore[attr-defined]

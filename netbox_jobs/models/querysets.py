"""Querysets of jobs."""

from typing import Any, Self, TypeVar

from django.db import models

from ..choices import JobStatusChoices
from . import services

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

    def delete(self) -> Any:
        """Delete the jobs, as `Job.delete()` does with each; what belongs to them, in a few statements for all."""
        return services.delete_jobs(self, super().delete)

    delete.alters_data = True  # type: ignore[attr-defined]
    delete.queryset_only = True  # type: ignore[attr-defined]

    def defer(self, *fields: Any) -> Self:
        """`log_entries` may be named: it is never loaded with the row anyway."""
        names = tuple(field for field in fields if field != 'log_entries')
        return super().defer(*names) if names else self._chain()  # type: ignore[attr-defined]

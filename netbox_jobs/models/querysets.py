"""Querysets and managers of jobs."""

from typing import TYPE_CHECKING, Any, Self, TypeVar

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


if TYPE_CHECKING:

    class JobManager(models.Manager[J]):
        """What `from_queryset()` makes, as type checkers see it: its querysets are `JobQuerySet`s."""

        def __get__(self, instance: Any, cls: Any = None) -> Self: ...  # also the manager of an object's jobs
        def get_queryset(self) -> JobQuerySet[J]: ...
        def all(self) -> JobQuerySet[J]: ...
        def none(self) -> JobQuerySet[J]: ...
        def filter(self, *args: Any, **kwargs: Any) -> JobQuerySet[J]: ...
        def exclude(self, *args: Any, **kwargs: Any) -> JobQuerySet[J]: ...
        def order_by(self, *field_names: Any) -> JobQuerySet[J]: ...
        def using(self, alias: str | None) -> JobQuerySet[J]: ...
        def defer(self, *fields: Any) -> JobQuerySet[J]: ...
        def only(self, *fields: Any) -> JobQuerySet[J]: ...
        def select_related(self, *fields: Any) -> JobQuerySet[J]: ...
        def prefetch_related(self, *lookups: Any) -> JobQuerySet[J]: ...
        def select_for_update(self, *args: Any, **kwargs: Any) -> JobQuerySet[J]: ...
        def waiting(self) -> JobQuerySet[J]: ...
        def running(self) -> JobQuerySet[J]: ...
        def ended(self) -> JobQuerySet[J]: ...

else:

    class JobManager(models.Manager.from_queryset(JobQuerySet)):
        """The manager of jobs: it has the methods of their querysets."""

"""Jobs that are deleted with their objects: there may be very many of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .querysets import JobQuerySet


@dataclass(eq=False)
class Cascade:
    """Jobs that were loaded together to be deleted."""

    #: The status of each, by primary key.
    states: dict[int, str]
    #: Whether the rows of other tables that belong to them are deleted.
    cleared: bool = False


class CascadedJobs(JobQuerySet[Any]):
    """The jobs that Django's collector of related objects deletes: each knows the others."""

    def __iter__(self) -> Iterator[Any]:
        jobs = list(super().__iter__())
        cascade = Cascade({job.pk: job.status for job in jobs})
        for job in jobs:
            job.cascade = cascade
        return iter(jobs)


def jobs_of(model: Any, keys: list[str], object_type: int, using: str) -> JobQuerySet[Any]:
    """Return the jobs of objects of one model that are to be deleted.

    Args:
        model: The model of jobs, which imports the relations that this serves.
        keys: The primary keys of the objects, as text.
        object_type: The primary key of their content type.
        using: The alias of the database that holds the jobs.
    """
    return CascadedJobs(model, using=using).filter(object_type=object_type, object_id__in=keys)

"""Jobs that are deleted with their objects: there may be very many of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.apps import apps
from django.contrib.contenttypes.models import ContentType

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


def jobs_of(model: Any, keys: list[str], object_types: list[int], using: str) -> JobQuerySet[Any]:
    """Return the jobs of objects of one table that are to be deleted.

    Args:
        model: The model of jobs, which imports the relations that this serves.
        keys: The primary keys of the objects, as text.
        object_types: The primary keys of the content types of the models of that table.
        using: The alias of the database that holds the jobs.
    """
    return CascadedJobs(model, using=using).filter(object_type__in=object_types, object_id__in=keys)


@lru_cache
def models_of_table(model: Any) -> tuple[Any, ...]:
    """Return the models whose objects are rows of one table: a model and its proxies, each with a content type."""
    concrete = model._meta.concrete_model
    return tuple(found for found in apps.get_models() if found._meta.concrete_model is concrete)


def object_types_of(model: Any, using: str) -> list[int]:
    """Return the primary keys of the content types of the models of a table.

    Args:
        model: One of them.
        using: The alias of the database that holds the jobs.
    """
    found = ContentType.objects.db_manager(using).get_for_models(*models_of_table(model), for_concrete_models=False)
    return sorted(content_type.pk for content_type in found.values())

"""The users, objects and progress of listed jobs and schedules, each fetched once for all rows."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db import router
from django.db.models.functions import Left

from ..choices import JobStatusChoices
from ..core import contexts
from ..models import Job, Progress, Schedule, Workflow, database

#: Fields that may be large, and that no list shows. (Arguments may also hold what a user must not see.)
LARGE_FIELDS = ('arguments', 'arguments_shown', 'data', 'error', 'options', 'retry_policy')
#: How much of an error a list reads.
ERROR_START = 300


def defer_large_fields(jobs: Any) -> Any:
    """Return the jobs as a list needs them: without large fields, and with the first characters as `error_start`."""
    return jobs.defer(*LARGE_FIELDS).annotate(error_start=Left('error', ERROR_START))


def attach(jobs: Iterable[Job]) -> None:
    """Set `related_progress` of each running job, and the user and the object of each job."""
    found = list(jobs)
    attach_users(found)
    attach_objects(found)
    attach_progress(found)


def attach_progress(jobs: Sequence[Job]) -> None:
    """Set `related_progress` of each job; None for one that does not run, or has reported nothing."""
    progress = progress_of(job for job in jobs if job.status == JobStatusChoices.STATUS_RUNNING)
    for job in jobs:
        job.related_progress = progress.get(job.pk)  # type: ignore[attr-defined]


def progress_of(jobs: Iterable[Job]) -> dict[int, Progress]:
    """Return the progress of the latest attempts of these jobs, by their primary keys, from one query."""
    attempts = {job.pk: job.attempt for job in jobs}
    found = Progress.objects.using(database()).in_bulk(list(attempts)) if attempts else {}
    # What an earlier attempt has reported says nothing about the latest one.
    return {pk: progress for pk, progress in found.items() if progress.attempt == attempts[pk]}


def users_of(rows: Iterable[Job | Schedule | Workflow]) -> dict[Any, Any]:
    """Return the users of these rows by their keys. (Users may be in another database, so nothing is joined.)"""
    model = get_user_model()
    keys = {row.user_id for row in rows if row.user_id is not None}
    return dict(model._base_manager.using(router.db_for_read(model)).in_bulk(keys)) if keys else {}


def attach_users(rows: Sequence[Job | Schedule | Workflow]) -> None:
    """Set `related_user` of each row; None for a row without a user."""
    users = users_of(rows)
    for row in rows:
        row.related_user = users.get(row.user_id)  # type: ignore[union-attr]


def attach_objects(rows: Sequence[Job | Schedule]) -> None:
    """Set `related_object` of each row, from one query for each type of object, and `related_type`, its type's name."""
    groups: dict[tuple[int, str], list[Any]] = defaultdict(list)
    tenant = contexts.current_tenant()
    for row in rows:
        row.related_object = row.related_type = None  # type: ignore[union-attr]
        if row.object_type_id is not None and row.object_id is not None and row.tenant in ('', tenant):
            groups[row.object_type_id, row.object_db].append(row)
    if not groups:
        return
    home = database()
    types = ContentType.objects.db_manager(home).in_bulk({type_id for type_id, _alias in groups})
    for (type_id, alias), members in groups.items():
        model = types[type_id].model_class() if type_id in types else None
        found: dict[str, Any] = {}
        if model is not None:
            keys = {row.object_id for row in members}
            found = {str(instance.pk): instance for instance in _fetch(model, alias or home, keys)}
        for row in members:
            row.related_type = model._meta.verbose_name if model is not None else types[type_id].model
            row.related_object = found.get(row.object_id)


def _fetch(model: Any, alias: str, keys: set[str]) -> list[Any]:
    try:
        return list(model._base_manager.using(alias).filter(pk__in=keys))
    except (ValueError, TypeError):  # keys of a type that the model no longer has
        return []

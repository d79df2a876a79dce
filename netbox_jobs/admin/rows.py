"""What rows of jobs are shown with: their users, objects and progress, each fetched once for all of them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db import router
from django.db.models import QuerySet
from django.db.models.functions import Left

from ..choices import JobStatusChoices
from ..models import Job, Progress, Schedule, database

#: What no list shows, and may be large.
HEAVY = ('arguments', 'arguments_shown', 'data', 'error', 'options', 'retry_policy')


def light(jobs: 'QuerySet[Job]') -> 'QuerySet[Job]':
    """Jobs as a list needs them: without what may be large, and with the beginning of the error."""
    return jobs.defer(*HEAVY).annotate(error_begins=Left('error', 300))


def dress(jobs: Iterable[Job]) -> None:
    """Fetch what goes with these jobs: `shown_progress` of those that run, users and objects."""
    found = list(jobs)
    dress_with_users(found)
    dress_with_objects(found)
    running = [job.pk for job in found if job.status == JobStatusChoices.STATUS_RUNNING]
    told = Progress.objects.using(database()).in_bulk(running) if running else {}
    for job in found:
        job.shown_progress = told.get(job.pk)  # type: ignore[attr-defined]


def dress_with_users(rows: Sequence[Job | Schedule]) -> None:
    """Set `shown_user`; users may be in another database than jobs, so that nothing is joined."""
    users = get_user_model()
    ids = {row.user_id for row in rows if row.user_id is not None}
    found = users._base_manager.using(router.db_for_read(users)).in_bulk(ids) if ids else {}
    for row in rows:
        row.shown_user = found.get(row.user_id)  # type: ignore[union-attr]


def dress_with_objects(rows: Sequence[Job | Schedule]) -> None:
    """Set `shown_object`: what a row is about; one query for each kind of object. And `shown_type`, its kind."""
    groups: dict[tuple[int, str], list[Any]] = defaultdict(list)
    for row in rows:
        row.shown_object = row.shown_type = None  # type: ignore[union-attr]
        if row.object_type_id is not None and row.object_id is not None:
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
            found = {str(thing.pk): thing for thing in _fetch(model, alias or home, keys)}
        for row in members:
            row.shown_type = model._meta.verbose_name if model is not None else types[type_id].model
            row.shown_object = found.get(row.object_id)


def _fetch(model: Any, alias: str, keys: set[str]) -> list[Any]:
    try:
        return list(model._base_manager.using(alias).filter(pk__in=keys))
    except (ValueError, TypeError):  # keys of a type that the model no longer has
        return []

"""Retention: jobs that ended long ago are deleted, with their logs, attempts and progress."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import OperationalError, connections, router
from django.db.models import PROTECT, RESTRICT, Exists, ManyToOneRel, OuterRef, ProtectedError, RestrictedError
from django.db.models.deletion import Collector
from django.db.models.functions import Coalesce
from django.utils import timezone

from ..core import conf
from ..lifecycle.unlocked import is_locked, waiting_at_most
from ..models import AuditEntry, Job, JobAttempt, JobLogEntry, JobStack, JobStep, Progress, database
from . import workflows

logger = logging.getLogger('netbox_jobs')

_BATCH = 500
_SWEPT = 1_000
# What belongs to jobs, and when it was written.
_BELONGING: tuple[tuple[Any, str], ...] = (
    (JobLogEntry, 'timestamp'),
    (JobAttempt, 'ended'),
    (JobStep, 'started'),
    (Progress, 'updated'),
    (JobStack, 'requested'),
)


def prune(days: int | None = None, *, limit: int | None = None, between: Callable[[], None] = lambda: None) -> int:
    """Delete jobs that ended more than `days` ago, with their logs; never one that waits or runs.

    Args:
        days: The setting `JOB_RETENTION` if omitted; 0 keeps all.
        limit: Delete so many at the most.
        between: Called between two batches.

    Returns:
        How many were deleted.
    """
    days = conf.retention() if days is None else days
    if days <= 0:
        return 0
    using = database()
    cutoff = timezone.now() - timedelta(days=days)
    # By the index on `created`, which comes first: what was created later cannot have ended earlier. (The end is an
    # expression, as a database takes the two conditions for independent, and the rows that fulfil them for few.)
    old = Job.objects.using(using).ended().alias(end=Coalesce('completed', 'created'))
    old = old.filter(created__lt=cutoff, end__lt=cutoff).order_by('created')
    old = workflows.without_kept(old, cutoff, using)
    for relation in _references(using):
        if relation.on_delete in (PROTECT, RESTRICT):
            old = old.exclude(
                Exists(
                    relation.related_model._base_manager.filter(
                        **{relation.field.name: OuterRef(relation.field.target_field.name)}
                    )
                )
            )
    deleted = 0
    while limit is None or deleted < limit:
        size = _BATCH if limit is None else min(_BATCH, limit - deleted)
        batch = list(old.values_list('pk', flat=True)[:size])
        kept = _delete_unless_protected(batch, using)
        if kept:
            old = old.exclude(pk__in=kept)
        deleted += len(batch) - len(kept)
        between()
        if len(batch) < size:
            for model, moment in _BELONGING:
                _sweep(model, moment, cutoff, using)
            workflows.prune(cutoff, using)
            break
    return deleted


def prune_audit(*, limit: int) -> int:
    """Delete entries of the audit trail that are older than `AUDIT_RETENTION`; return how many were deleted.

    Args:
        limit: Delete so many at the most.
    """
    days = conf.get('AUDIT_RETENTION')
    if not days:
        return 0
    rows = AuditEntry.objects.using(database())
    old = rows.filter(created__lt=timezone.now() - timedelta(days=days)).order_by('created')
    batch = list(old.values_list('pk', flat=True)[: min(limit, _SWEPT)])
    return rows.filter(pk__in=batch).delete()[0] if batch else 0


def _delete_unless_protected(batch: list[int], using: str) -> list[int]:
    """Delete these jobs; returns those that cannot be: what would go with them is protected, or they are locked."""
    try:
        if batch:
            return _delete(batch, using)
    except OperationalError as error:
        if not is_locked(error):
            raise
        logger.info('%s old jobs are kept for now: what would go with them is locked.', len(batch))
        return batch
    except (ProtectedError, RestrictedError) as error:
        if len(batch) == 1:
            logger.info('Job %s is old, and kept: %s', batch[0], error)
            return batch
        return [kept for pk in batch for kept in _delete_unless_protected([pk], using)]
    return []


def _delete(batch: list[int], using: str) -> list[int]:
    """Delete these jobs; returns those that another transaction has locked."""
    with waiting_at_most(1, using):
        skip = connections[using].features.has_select_for_update_skip_locked
        jobs = Job.objects.using(using).filter(pk__in=batch).order_by('pk')
        free = list(jobs.select_for_update(skip_locked=skip).values_list('pk', flat=True))
        batch, kept = free, sorted(set(batch) - set(free))
        if not batch:
            return kept
        _follow(batch, using)
        links = Job.dependencies.through.objects.using(using)
        links.filter(from_job_id__in=batch)._raw_delete(using)
        links.filter(to_job_id__in=batch)._raw_delete(using)
        for model in (JobLogEntry, JobAttempt, JobStep, Progress, JobStack):
            rows = model._default_manager.using(using).filter(job_id__in=batch)
            # Old jobs have keys near each other; without the range, a database may prefer to read all of the log.
            rows.filter(job_id__gte=min(batch), job_id__lte=max(batch))._raw_delete(using)
        Job.objects.using(using).ended().filter(pk__in=batch)._raw_delete(using)
    return kept


def _references(using: str) -> list[Any]:
    """The foreign keys of other apps' models to jobs whose `on_delete` is Django's to carry out, not the database's."""
    return [
        relation
        for relation in Job._meta.get_fields(include_hidden=True)
        if isinstance(relation, ManyToOneRel)
        and relation.related_model._meta.app_label != Job._meta.app_label
        and not hasattr(relation.on_delete, 'on_delete_sql')
        and router.allow_migrate_model(using, relation.related_model)
    ]


def _follow(batch: list[int], using: str) -> None:
    """Carry out the `on_delete` of other models' foreign keys to these jobs."""
    collector = Collector(using=using)
    for relation in _references(using):
        jobs = Job.objects.using(using).filter(pk__in=batch)
        rows = relation.related_model._base_manager.using(using).filter(**{f'{relation.field.name}__in': jobs})
        if rows:
            relation.on_delete(collector, relation.field, rows, using)
    collector.delete()


def _sweep(model: Any, moment: str, cutoff: datetime, using: str) -> None:
    """Delete rows that were written about jobs while those were deleted.

    From the oldest on: when old jobs are gone, what is older than they were belongs to none, or to few.
    """
    rows = model._default_manager.using(using).order_by('pk')
    oldest = rows.values_list(moment, flat=True).first()
    if oldest is None or oldest >= cutoff:
        return
    after: Any = 0
    while batch := list(rows.filter(pk__gt=after).values_list('pk', 'job_id', moment)[:_SWEPT]):
        owners = {job_id for _pk, job_id, _moment in batch}
        owners -= set(Job.objects.using(using).filter(pk__in=owners).values_list('pk', flat=True))
        if owners:
            rows.order_by().filter(pk__lte=batch[-1][0], job_id__in=owners)._raw_delete(using)
        after, _job_id, latest = batch[-1]
        if len(batch) < _SWEPT or latest >= cutoff:
            return

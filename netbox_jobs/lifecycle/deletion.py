"""Deletion: a waiting job never runs, a running one is stopped, and its chain ends; all of it after the commit."""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models.signals import post_delete, pre_delete
from django.dispatch import receiver

from ..broker import delivery
from ..choices import JobStatusChoices
from ..core import transactions
from ..models import Job, JobAttempt, JobLogEntry, JobStep, Progress, Schedule, database, services
from . import audit, dependencies, workflows
from .locks import lock_waiting


@dataclass(eq=False)
class _Batch:
    """Jobs that are deleted together."""

    #: The status of each when the deletion began, and whether others depend on it.
    states: dict[int, tuple[str, bool]]
    deleted: list[int] = field(default_factory=list)


_batch: ContextVar[_Batch | None] = ContextVar('netbox_jobs.deletion', default=None)


@services.delete_jobs.provide
def delete_jobs(rows: Any, delete: Callable[[], Any]) -> Any:
    """Delete many jobs with what belongs to them; see `JobQuerySet.delete()`."""
    using = rows._db or database()
    with transaction.atomic(using=using):
        states = rows.order_by().using(using).values_list('pk', 'status', 'awaited')
        batch = _Batch({pk: (status, awaited) for pk, status, awaited in states})
        token = _batch.set(batch)
        try:
            result = delete()
        finally:
            _batch.reset(token)
        _delete_what_belongs_to(batch.deleted, using)
        audit.record_deletion([(pk, batch.states[pk][0]) for pk in batch.deleted if pk in batch.states], using)
    return result


def _delete_what_belongs_to(keys: list[int], using: str) -> None:
    for first in range(0, len(keys), 500):
        for model in (JobLogEntry, JobAttempt, JobStep, Progress):
            model._default_manager.using(using).filter(job_id__in=keys[first : first + 500])._raw_delete(using)


@receiver(pre_delete, sender=Job, dispatch_uid='netbox_jobs.before_delete')
def before_delete(instance: Job, using: str, **kwargs: Any) -> None:
    """A chain ends with its waiting or running job. (Its schedule goes first: the order in which all lock them.)"""
    batch = _batch.get()
    row = batch.states.get(instance.pk) if batch is not None else None
    row = row or Job.objects.using(using).filter(pk=instance.pk).values_list('status', 'awaited').first()
    if row is not None:
        instance.status, instance.awaited = row
    ended = instance.status in JobStatusChoices.TERMINAL_STATE_CHOICES
    if instance.schedule_id is not None and not ended:
        Schedule.objects.using(using).filter(pk=instance.schedule_id).delete()
        # An occurrence that was arranged while this one ran.
        with transaction.atomic(using=using):
            for following in lock_waiting(Job.objects.using(using).filter(slot=instance.schedule_id)):
                if following.pk != instance.pk:
                    following.delete()
    if instance.awaited:
        dependencies.before_deletion(instance, using)
    if instance.workflow_id is not None:
        workflows.mark_before_deletion(instance, using)


@receiver(post_delete, sender=Job, dispatch_uid='netbox_jobs.after_delete')
def after_delete(instance: Job, using: str, **kwargs: Any) -> None:
    """Delete the rows of other tables with it; after the commit, withdraw its delivery or stop its run."""
    if (batch := _batch.get()) is not None:
        batch.deleted.append(instance.pk)
    else:
        _delete_what_belongs_to([instance.pk], using)
    if instance.status in JobStatusChoices.TERMINAL_STATE_CHOICES:
        return
    queue, delivery_id = instance.queue_name, instance.delivery_id
    if instance.status == JobStatusChoices.STATUS_RUNNING:
        transactions.after_commit(lambda: delivery.stop(queue, delivery_id), using=using)
    elif instance.deliveries:
        transactions.after_commit(lambda: delivery.withdraw(queue, [delivery_id]), using=using)

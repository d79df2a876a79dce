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
from ..models import Job, JobAttempt, JobLogEntry, JobStack, JobStep, Progress, Schedule, database, services
from . import audit, dependencies, workflows
from .locks import lock_waiting


@dataclass(eq=False)
class _Batch:
    """Jobs that are deleted together."""

    #: The status of each when the deletion began.
    states: dict[int, str]
    #: Those that others depend on.
    awaited: set[int]
    deleted: list[int] = field(default_factory=list)


_batch: ContextVar[_Batch | None] = ContextVar('netbox_jobs.deletion', default=None)


@services.delete_jobs.provide
def delete_jobs(rows: Any, delete: Callable[[], Any]) -> Any:
    """Delete many jobs with what belongs to them; see `JobQuerySet.delete()`."""
    using = rows._db or database()

    def delete_once() -> Any:
        states = dict(rows.order_by().using(using).values_list('pk', 'status'))
        batch = _Batch(states, _awaited(states, using))
        token = _batch.set(batch)
        try:
            result = delete()
        finally:
            _batch.reset(token)
        _delete_what_belongs_to(batch.deleted, using)
        audit.record_deletion([(pk, batch.states[pk]) for pk in batch.deleted if pk in batch.states], using)
        return result

    return transactions.retried(delete_once, using)


def _awaited(states: dict[int, str], using: str) -> set[int]:
    """Return the keys of those that have not ended and that others depend on."""
    keys = [pk for pk, status in states.items() if status not in JobStatusChoices.TERMINAL_STATE_CHOICES]
    found: set[int] = set()
    for first in range(0, len(keys), 500):
        links = Job.dependencies.through.objects.using(using).filter(to_job__in=keys[first : first + 500])
        found.update(links.values_list('to_job_id', flat=True))
    return found


def _delete_what_belongs_to(keys: list[int], using: str) -> None:
    for first in range(0, len(keys), 500):
        for model in (JobLogEntry, JobAttempt, JobStep, Progress, JobStack):
            model._default_manager.using(using).filter(job_id__in=keys[first : first + 500])._raw_delete(using)


@receiver(pre_delete, sender=Job, dispatch_uid='netbox_jobs.before_delete')
def before_delete(instance: Job, using: str, **kwargs: Any) -> None:
    """A chain ends with its waiting or running job. (Its schedule goes first: the order in which all lock them.)"""
    batch = _batch.get()
    known = batch is not None and instance.pk in batch.states
    states = batch.states if batch is not None and known else instance.cascade.states if instance.cascade else {}
    if instance.pk in states:
        instance.status = states[instance.pk]
    else:
        found = Job.objects.using(using).filter(pk=instance.pk).values_list('status', flat=True).first()
        instance.status = found or instance.status
    ended = instance.status in JobStatusChoices.TERMINAL_STATE_CHOICES
    if instance.schedule_id is not None and not ended:
        Schedule.objects.using(using).filter(pk=instance.schedule_id).delete()
        # An occurrence that was arranged while this one ran.
        with transaction.atomic(using=using):
            for following in lock_waiting(Job.objects.using(using).filter(slot=instance.schedule_id)):
                if following.pk != instance.pk:
                    following.delete()
    # Not by `awaited`, which a running job gets after the commit of what depends on it.
    if instance.awaited if ended else (batch is None or not known or instance.pk in batch.awaited):
        dependencies.before_deletion(instance, using)
    if instance.workflow_id is not None:
        workflows.mark_before_deletion(instance, using)


@receiver(post_delete, sender=Job, dispatch_uid='netbox_jobs.after_delete')
def after_delete(instance: Job, using: str, **kwargs: Any) -> None:
    """Delete the rows of other tables with it; after the commit, withdraw its delivery or stop its run."""
    if (batch := _batch.get()) is not None:
        batch.deleted.append(instance.pk)
    elif instance.cascade is None:
        _delete_what_belongs_to([instance.pk], using)
    elif not instance.cascade.cleared:  # for all of them, as they are deleted in one transaction
        instance.cascade.cleared = True
        _delete_what_belongs_to(list(instance.cascade.states), using)
    if instance.status in JobStatusChoices.TERMINAL_STATE_CHOICES:
        return
    queue, delivery_id = instance.queue_name, instance.delivery_id
    if instance.status == JobStatusChoices.STATUS_RUNNING:
        transactions.after_commit(lambda: delivery.stop(queue, delivery_id), using=using)
    elif instance.deliveries:
        transactions.after_commit(lambda: delivery.withdraw(queue, [delivery_id]), using=using)

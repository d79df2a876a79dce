"""Deletion: a waiting job never runs, a running one is stopped, and its chain ends; all of it after the commit."""

from typing import Any

from django.db import transaction
from django.db.models.signals import post_delete, pre_delete
from django.dispatch import receiver

from ..broker import delivery
from ..choices import JobStatusChoices
from ..models import Job, JobAttempt, JobLogEntry, Progress, Schedule


@receiver(pre_delete, sender=Job, dispatch_uid='netbox_jobs.before_delete')
def before_delete(instance: Job, using: str, **kwargs: Any) -> None:
    """A chain ends with its waiting or running job. (Its schedule goes first: the order in which all lock them.)"""
    row = Job.objects.using(using).filter(pk=instance.pk).values_list('status', 'awaited').first()
    if row is not None:
        instance.status, instance.awaited = row
    ended = instance.status in JobStatusChoices.TERMINAL_STATE_CHOICES
    if instance.schedule_id is not None and not ended:
        Schedule.objects.using(using).filter(pk=instance.schedule_id).delete()
        # An occurrence that was arranged while this one ran.
        for following in Job.objects.using(using).filter(slot=instance.schedule_id).exclude(pk=instance.pk):
            following.delete()
    if instance.awaited and not ended:
        for dependent in instance.dependents.using(using).waiting():
            if not dependent.options.get('allow_failure'):
                error = f'It depends on job {instance.pk} ({instance.name}), which was deleted before it had ended.'
                dependent.terminate(JobStatusChoices.STATUS_ERRORED, error=error)


@receiver(post_delete, sender=Job, dispatch_uid='netbox_jobs.after_delete')
def after_delete(instance: Job, using: str, **kwargs: Any) -> None:
    """Delete the rows of other tables with it; after the commit, withdraw its delivery or stop its run."""
    for model in (JobLogEntry, JobAttempt, Progress):
        model._default_manager.using(using).filter(job_id=instance.pk)._raw_delete(using)
    if instance.status in JobStatusChoices.TERMINAL_STATE_CHOICES:
        return
    queue, delivery_id = instance.queue_name, instance.delivery_id
    if instance.status == JobStatusChoices.STATUS_RUNNING:
        transaction.on_commit(lambda: delivery.stop(queue, delivery_id), using=using, robust=True)
    elif instance.deliveries:
        transaction.on_commit(lambda: delivery.withdraw(queue, [delivery_id]), using=using, robust=True)

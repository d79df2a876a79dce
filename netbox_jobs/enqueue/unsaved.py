"""Jobs about an object that has no row yet: stored at once, bound to the object and delivered when it is saved.

NetBox's documentation calls `enqueue_once(instance=self)` in `save()` before `super().save()`. Such a job is a row with
an object type and without an object ID, which waits. It is canceled if the object is not saved by the end of the
transaction; without one, by the end of the request; and else by recovery.
"""

import logging
import weakref
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

from asgiref.local import Local
from django.core.signals import request_finished
from django.db import connections, transaction
from django.db.models import Model, QuerySet
from django.db.models.signals import post_save
from django.dispatch import receiver
from django.utils import timezone

from ..choices import JobStatusChoices
from ..lifecycle.cancel import cancel
from ..lifecycle.dependencies import settle_dependent
from ..models import Job, Schedule, database
from .identify import identify_instance, schedule_key

logger = logging.getLogger('netbox_jobs')

#: How long recovery leaves a job of an unsaved object alone: no transaction and no request takes as long.
ABANDONED = timedelta(hours=1)

# What the current thread (or task) has enqueued for objects that are not saved, by the identity of the object.
_context = Local()


@dataclass(eq=False)
class Unsaved:
    """An object without a row, and the jobs that wait for it."""

    instance: 'weakref.ref[Model]'
    label: str
    #: Stands for the primary key in the key of the schedule.
    token: str = field(default_factory=lambda: uuid4().hex)
    jobs: list[Job] = field(default_factory=list)
    #: Whether the jobs were enqueued within a transaction, whose end is that of the waiting.
    in_transaction: bool = False

    @classmethod
    def of(cls, instance: Model) -> 'Unsaved':
        """Return the entry of an object, which is made if there is none."""
        entries = _entries()
        found = entries.get(id(instance))
        if found is None or found.instance() is not instance:
            found = cls(weakref.ref(instance), instance._meta.label)
            entries[id(instance)] = found
            kind = type(instance)
            post_save.connect(
                _bind, sender=kind, dispatch_uid=f'netbox_jobs.unsaved {kind.__module__}.{kind.__qualname__}'
            )
        found.in_transaction = connections[database()].in_atomic_block
        return found

    def add(self, job: Job) -> None:
        """Have a job that was just inserted wait for the object."""
        if job not in self.jobs:
            self.jobs.append(job)
        if self.in_transaction:
            transaction.on_commit(lambda: self.expire('transaction'), using=database(), robust=True)

    def expire(self, what: str) -> None:
        """Cancel the jobs, unless the object has been saved; `what` has ended."""
        jobs, self.jobs = self.jobs, []
        if jobs and _entries().get(id(self.instance())) is self:
            del _entries()[id(self.instance())]
        for job in unbound().filter(pk__in=[job.pk for job in jobs]):
            abandon(job, f'its {self.label} was not saved by the end of the {what}')


def unbound() -> QuerySet[Job]:
    """Return the jobs that wait for an object to be saved."""
    waiting = Job.objects.using(database()).filter(status=JobStatusChoices.STATUS_PENDING, due=None)
    return waiting.filter(object_type__isnull=False, object_id=None).exclude(runner='')


def jobs_of(instance: Model) -> list[int]:
    """Return the primary keys of the jobs that wait for this object to be saved."""
    found = _entries().get(id(instance))
    return [job.pk for job in found.jobs] if found is not None and found.instance() is instance else []


def abandon(job: Job, reason: str) -> None:
    """Cancel a job whose object was not saved, and end its schedule; say so in the log."""
    logger.warning('Job %s (%s) does not run: %s.', job.pk, job.name, reason)
    with transaction.atomic(using=job._state.db):
        Schedule.objects.using(job._state.db).filter(pk=job.schedule_id or 0).delete()
        cancel(job, f'It did not run: {reason}.')


def cancel_abandoned() -> int:
    """Cancel the jobs whose process died, or ended, without saving their object; return how many there were."""
    jobs = list(unbound().filter(created__lt=timezone.now() - ABANDONED)[:500])
    for job in jobs:
        abandon(job, 'its object was not saved')
    return len(jobs)


def _entries() -> dict[int, Unsaved]:
    entries: dict[int, Unsaved] | None = getattr(_context, 'entries', None)
    if entries is None:
        entries = _context.entries = {}
    return entries


def _bind(instance: Model, raw: bool = False, **kwargs: Any) -> None:
    """Bind the jobs that wait for an object which has just been saved."""
    entries = _entries()
    found = entries.get(id(instance))
    if found is None or found.instance() is not instance or raw:
        return
    del entries[id(instance)]
    jobs, found.jobs = found.jobs, []
    object_type, object_id, object_db = identify_instance(instance)
    about = {'object_id': object_id, 'object_db': object_db}
    for job in jobs:
        with transaction.atomic(using=job._state.db):
            waiting = schedule_key(job.runner, object_type, found.token, '')
            key = schedule_key(job.runner, object_type, object_id, object_db)
            schedules = Schedule.objects.using(job._state.db).filter(pk=job.schedule_id or 0)
            schedules.filter(key=waiting).update(key=key)
            schedules.update(**about)
            if not Job.objects.using(job._state.db).filter(pk=job.pk, object_id=None).update(**about):
                continue  # it was rolled back, canceled or deleted
            job.object_id, job.object_db = object_id, object_db
            settle_dependent(job)


@receiver(request_finished, dispatch_uid='netbox_jobs.unsaved')
def _expire_at_end_of_request(**kwargs: Any) -> None:
    for found in list(_entries().values()):
        found.expire('request')
    _entries().clear()

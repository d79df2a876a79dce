"""Jobs about an object that has no row yet: stored at once, bound to the object and delivered when it is saved.

NetBox's documentation calls `enqueue_once(instance=self)` in `save()` before `super().save()`. Such a job is a row with
an object type and without an object ID, which waits. It is canceled if the object has no row at the end of the
transaction; without one, at the end of the request; and else by recovery.
"""

import logging
import weakref
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from asgiref.local import Local
from django.core.signals import request_finished, request_started
from django.db import connections, router, transaction
from django.db.models import Model, QuerySet
from django.db.models.signals import post_save
from django.dispatch import receiver
from django.utils import timezone

from ..choices import JobStatusChoices
from ..core import transactions
from ..core.contexts import current_tenant
from ..core.home import key_of
from ..lifecycle.cancel import cancel
from ..lifecycle.unlocked import unless_locked
from ..models import Job, Schedule, database
from .binding import bind
from .identify import content_type_of, identify_instance, is_unsaved, schedule_key

logger = logging.getLogger('netbox_jobs')

#: How long recovery leaves a job of an unsaved object alone: no transaction and no request takes as long.
ABANDONED = timedelta(hours=1)

# The unsaved objects that jobs wait for, by identity: another thread than the one that enqueued may save them.
_entries: 'dict[int, Unsaved]' = {}
# Those that no longer exist in this process, so that no code can save them.
_gone: 'deque[Unsaved]' = deque()
# Those that the current request has enqueued for, in `entries`; it has none outside of a request.
_request = Local()
# Whether the transaction that is open began within a call of ours: its end says nothing about the caller.
_within_call: ContextVar[bool] = ContextVar('netbox_jobs.within_call', default=False)


@contextmanager
def call_transaction() -> Iterator[None]:
    """Open the transaction of a call: what is unsaved when it ends may still be saved, unless the caller opened one."""
    using = database()
    token = _within_call.set(_within_call.get() or not connections[using].in_atomic_block)
    try:
        with transactions.transacting(using):
            yield
    finally:
        _within_call.reset(token)


class Unsaved:
    """An object without a row, and the jobs that wait for it."""

    def __init__(self, instance: Model) -> None:
        """Args:
        instance: The object; only a weak reference is kept.
        """
        entry = weakref.ref(self)  # so that an entry which nothing waits for any more is not told

        def note_gone(reference: Any) -> None:  # called by the garbage collector, in the middle of anything
            if (found := entry()) is not None:
                found._drop()
                if found._jobs:
                    _gone.append(found)

        self._instance = weakref.ref(instance, note_gone)
        self._identity = id(instance)
        self._model, self._pk = type(instance), instance.pk
        #: Stands for the primary key in the key of the schedule.
        self.token = uuid4().hex
        self._jobs: list[Job] = []

    @classmethod
    def find(cls, instance: Model) -> 'Unsaved | None':
        """Return the entry of an object; None if no jobs wait for it."""
        found = _entries.get(id(instance))
        return found if found is not None and found._instance() is instance else None

    @classmethod
    def of(cls, instance: Model) -> 'Unsaved':
        """Return the entry of an object, which is made if there is none."""
        found = cls.find(instance)
        if found is None:
            found = _entries[id(instance)] = cls(instance)
            post_save.connect(_on_save, sender=type(instance), dispatch_uid='netbox_jobs.unsaved')
        if (of_request := getattr(_request, 'entries', None)) is not None:
            of_request.add(found)
        return found

    @property
    def job_ids(self) -> list[UUID]:
        """The `job_id`s of the jobs. (After a rollback, SQLite gives a primary key to another row.)"""
        return [job.job_id for job in self._jobs]

    def add(self, job: Job) -> None:
        """Have a job that is stored wait for the object."""
        if not any(job is known for known in self._jobs):
            self._jobs.append(job)
        if (using := self._transaction()) is None:
            return
        if not any(entry[1] == self._at_commit for entry in connections[using].run_on_commit):
            transaction.on_commit(self._at_commit, using=using, robust=True)

    def bind(self, pk: Any, using: str) -> None:
        """Bind the jobs to the row of the object, and deliver them after the commit.

        Args:
            pk: The primary key of the object.
            using: The alias of the database that it is in.
        """
        object_id = key_of(self._model(pk=pk))
        bind(self._jobs, self.token, self._instance(), object_id, '' if using == database() else using)

    def saved(self, pk: Any, using: str) -> None:
        """Bind the jobs, as the object has just been saved; or once that is committed, if jobs are in another database.

        The entry is kept until the transaction ends: a savepoint that rolls back undoes both.
        """
        self._pk = pk  # the object itself may not live until then
        if using != database() and connections[using].in_atomic_block:
            transaction.on_commit(self._at_commit, using=using, robust=True)
            return
        self.bind(pk, using)
        if not connections[database()].in_atomic_block:
            self._drop()

    def settle(self, what: str) -> None:
        """Bind the jobs that still wait, if the object has a row by now, or cancel them; `what` has ended."""
        waiting = list(unbound().filter(job_id__in=self.job_ids))
        using = self._database()
        if waiting and using != database() and connections[using].in_atomic_block:
            transaction.on_commit(self._at_commit, using=using, robust=True)  # that one ends later
            return
        self._drop()
        if not waiting:
            return
        instance = self._instance()
        pk = self._pk if instance is None else instance.pk
        # Not every way to save sends post_save: bulk_create(), another object of the same row, muted signals.
        if pk is not None and self._model._base_manager.using(using).filter(pk=pk).exists():
            self.bind(pk, using)
            return
        for job in waiting:
            abandon(job, f'its {self._model._meta.label} was not saved by the end of the {what}')

    def _at_commit(self) -> None:
        self.settle('transaction')

    def _database(self) -> str:
        """Return the alias of the database that the object is in, or is going to be."""
        instance = self._instance()
        return (instance and instance._state.db) or router.db_for_write(self._model, instance=instance)

    def _transaction(self) -> str | None:
        """Return the database whose transaction is open, and was opened by the caller; None if there is none."""
        if connections[database()].in_atomic_block and not _within_call.get():
            return database()
        using = self._database()
        return using if using != database() and connections[using].in_atomic_block else None

    def _drop(self) -> None:
        if _entries.get(self._identity) is self:
            _entries.pop(self._identity, None)  # the garbage collector may have done so, in another thread


def unbound() -> QuerySet[Job]:
    """Return the jobs that wait for an object to be saved."""
    waiting = Job.objects.using(database()).filter(status=JobStatusChoices.STATUS_PENDING, due=None)
    return waiting.filter(object_type__isnull=False, object_id=None).exclude(runner='')


def job_ids_of(instance: Model) -> list[UUID]:
    """Return the `job_id`s of the jobs that wait for this object to be saved."""
    found = Unsaved.find(instance)
    return found.job_ids if found is not None else []


def key_for(runner: str, instance: Model | None) -> str:
    """Return the key of the schedule of a runner for an object, saved or not, of the current tenant."""
    if instance is None or not is_unsaved(instance):
        return schedule_key(runner, *identify_instance(instance), current_tenant())
    found = Unsaved.find(instance)
    return schedule_key(runner, content_type_of(instance), found.token, '', current_tenant()) if found else ''


def abandon(job: Job, reason: str) -> None:
    """Cancel a job whose object was not saved, and end its schedule; log why. Leave it alone if it is bound by now."""
    using = job._state.db
    schedules = Schedule.objects.using(using).filter(pk=job.schedule_id or 0)
    with transaction.atomic(using=using):
        schedules.select_for_update().first()
        if not unbound().filter(pk=job.pk).update(due=None):  # locks the row
            return
        schedules.delete()
        cancel(job, f'It did not run: {reason}.')
    logger.warning('Job %s (%s) does not run: %s.', job.pk, job.name, reason)


def cancel_abandoned() -> int:
    """Cancel the jobs whose process died, or ended, without saving their object; return how many there were."""
    jobs = list(unbound().filter(created__lt=timezone.now() - ABANDONED)[:500])
    for job in jobs:
        with unless_locked(database(), f'Job {job.pk} ({job.name})'):
            abandon(job, 'its object was not saved')
    return len(jobs)


def _on_save(instance: Model, using: str, raw: bool = False, **kwargs: Any) -> None:
    found = Unsaved.find(instance)
    if found is not None and not raw:  # while fixtures are loaded, other rows are left alone
        found.saved(instance.pk, using)


@receiver(request_started, dispatch_uid='netbox_jobs.unsaved')
def _note_request(**kwargs: Any) -> None:
    _request.entries = weakref.WeakSet()


@receiver(request_finished, dispatch_uid='netbox_jobs.unsaved')
def _settle_after_request(**kwargs: Any) -> None:
    entries = list(getattr(_request, 'entries', None) or ())
    _request.entries = None
    with suppress(IndexError):  # when there are none left: other requests end at the same time
        while True:
            entries.append(_gone.popleft())
    for found in entries:
        try:
            found.settle('request')
        except Exception:  # recovery does it later
            logger.exception('Jobs about an unsaved %s could not be settled.', found._model._meta.label)

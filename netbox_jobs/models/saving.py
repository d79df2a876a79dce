"""What `save()` of a job writes: a new row, or on an existing one what belongs to the user's code."""

import logging
from collections.abc import Iterable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, ClassVar

from django.db import models, transaction

from ..choices import JobStatusChoices
from ..core import recurrence, runs
from ..core.claim import Claim, Outcome
from ..core.text import storable_error
from . import services
from .data import storable

if TYPE_CHECKING:
    _Base = models.Model
else:
    _Base = object

logger = logging.getLogger('netbox_jobs')

#: What user code may change on an existing row; the rest is changed by `start()`, `terminate()` and `enqueue_once()`.
USER_FIELDS = ('data', 'error', 'interval')
#: What it may change if it names it: nothing else writes these during the life of a job, but `enqueue_once()` does to
#: one that waits, which a plain `save()` must not undo.
NAMED_FIELDS = ('name', 'notifications', 'object_db', 'object_id', 'object_type', 'user')


class GuardedSave(_Base):
    """The part of a job that is its `save()`."""

    name: str
    data: Any
    error: str
    interval: int | None
    status: str
    objects: ClassVar[Any]
    DoesNotExist: Any
    _assigned_log_entries: Any
    _save_log_entries: Any
    claim: Any
    outcome: Any

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert a new row; on an existing one write `data`, `error` and `interval`.

        What a job is about and for whom (`object_type`, `object_id`, `name`, `user`, `notifications`) is written if
        `update_fields` names it. A terminal `status` that it names ends the job as `terminate()` does, unless it has
        ended or is being run here. No other field is written. It never brings a deleted row back, and during a run it
        writes only as long as the run holds its claim.

        Raises:
            ValueError: `update_fields` names another field.
            Job.DoesNotExist: Outside of a run: the row was deleted meanwhile.
        """
        using = kwargs.get('using') or self._state.db
        with transaction.atomic(using=using, savepoint=False) if self._assigned_log_entries else nullcontext():
            if self._state.adding:
                kwargs.pop('update_fields', None)
                super().save(*args, **{**kwargs, 'force_insert': True})
            else:
                self._save_user_fields(kwargs.get('update_fields'), using)
            self._save_log_entries(using)

    def _save_user_fields(self, update_fields: Iterable[str] | None, using: str | None) -> None:
        wanted = set(USER_FIELDS if update_fields is None else update_fields) - {'log_entries'}
        wanted = {name.removesuffix('_id') if name in ('object_type_id', 'user_id') else name for name in wanted}
        ends = 'status' in wanted and self.status in JobStatusChoices.TERMINAL_STATE_CHOICES
        if ends:
            wanted -= {'status', 'started', 'completed'}
        if refused := wanted - {*USER_FIELDS, *NAMED_FIELDS}:
            raise ValueError(
                f'save() of an existing job writes only {", ".join(USER_FIELDS)}, and {", ".join(NAMED_FIELDS)} if '
                f'named, not {", ".join(sorted(refused))}; a status is changed by start() and terminate(), a schedule '
                'by enqueue_once().'
            )
        columns = {'object_type': 'object_type_id', 'user': 'user_id'}
        named = (columns.get(name, name) for name in wanted & set(NAMED_FIELDS))
        values: dict[str, Any] = {name: getattr(self, name) for name in named}
        if 'data' in wanted:
            values['data'] = storable(self, 'data')
        if 'error' in wanted:
            values['error'] = storable_error(runs.masked(self, str(self.error or '')))
        if 'interval' in wanted:
            recurrence.check_interval(self.interval)
            values['interval'] = self.interval
        held = self._held()
        if ends and held is None:
            # As terminate() does it: the first end stands. A run that holds the claim ends as it does.
            services.finish(self, self.status, self.error or None)
            held = self._held()
        if values:
            self._write(values, held, using)

    def _write(self, values: dict[str, Any], held: Claim | Outcome | None, using: str | None) -> None:
        lost = isinstance(held, Claim) and held.lost
        conditions = held.conditions if held is not None else {}
        if not lost and type(self).objects.using(using).filter(pk=self.pk, **conditions).update(**values):
            return
        if held is None:
            raise self.DoesNotExist(f'Job {self.pk} ({self.name}) was not saved: its row has been deleted.')
        logger.warning('Job %s (%s): not saved; its claim is lost or its row deleted.', self.pk, self.name)

    def _held(self) -> Claim | Outcome | None:
        """What this object may write under: the end that it has recorded, its claim, or that of the current run."""
        if self.outcome is None and self.claim is None and (run := runs.run_of(self)):
            return run.job.outcome or run.job.claim
        return self.outcome or self.claim

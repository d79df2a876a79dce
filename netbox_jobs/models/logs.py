"""`JobLogEntry`: one line of a job's log, in a table of its own."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ..core import runs
from ..core.text import storable_text
from .text import CharField, TextField


class JobLogEntry(models.Model):
    """A log line. Without a foreign key constraint: it is written while others hold the job's row locked."""

    job = models.ForeignKey(
        'netbox_jobs.Job', on_delete=models.DO_NOTHING, related_name='log_lines', db_constraint=False, db_index=False
    )
    attempt = models.PositiveIntegerField(_('attempt'), default=1)
    timestamp = models.DateTimeField(_('time'), default=timezone.now)
    level = CharField(_('level'), max_length=20)
    message = TextField(_('message'))

    class Meta:
        ordering = ('id',)
        # Instead of the foreign key's own: a page of a long log, without sorting all of it.
        indexes = (models.Index(fields=('job', 'id'), name='netbox_jobs_log_job'),)
        verbose_name = _('log line')
        verbose_name_plural = _('log lines')

    def __str__(self) -> str:
        return self.message

    def as_dict(self) -> dict[str, Any]:
        """The line as `job.log_entries` gives it."""
        return {'level': self.level, 'message': self.message, 'timestamp': self.timestamp}

    @classmethod
    def from_dicts(cls, job_id: int, entries: Iterable[Mapping[str, Any]], attempt: int) -> 'list[JobLogEntry]':
        """Unsaved lines from what was assigned to `job.log_entries`."""
        return [
            cls(
                job_id=job_id,
                attempt=attempt,
                level=str(entry.get('level', 'info')),
                message=storable_text(str(entry.get('message', ''))),
                timestamp=entry.get('timestamp') or timezone.now(),
            )
            for entry in entries
        ]


class KeepsLog:
    """The part of a job that is its log. Lines are read from their table at each access, never with the row."""

    pk: Any
    attempt: int
    _state: Any
    _assigned_log_entries: list[Any] | None = None

    @property
    def log_entries(self) -> list[dict[str, Any]]:
        """The log, in order: dictionaries with `level`, `message` and `timestamp`. Each access reads the database."""
        if self._assigned_log_entries is not None:
            return self._assigned_log_entries
        if self.pk is None:
            self._assigned_log_entries = []
            return self._assigned_log_entries
        if run := runs.run_of(self):
            run.flush()
        return [line.as_dict() for line in JobLogEntry.objects.using(self._state.db).filter(job_id=self.pk)]

    @log_entries.setter
    def log_entries(self, entries: Iterable[Any]) -> None:
        self._assigned_log_entries = list(entries)

    def log(self, record: logging.LogRecord) -> None:
        """Keep a record of Python's logging as a line of this job's log, with its arguments and its traceback."""
        message = record.getMessage()
        if record.exc_info:
            message = f'{message}\n{logging.Formatter().formatException(record.exc_info)}'
        line = {'level': record.levelname.lower(), 'message': message}
        if run := runs.run_of(self):
            run.log(line['level'], message, record.created)
        elif self.pk is None:
            self.log_entries.append({**line, 'timestamp': timezone.now()})
        else:
            JobLogEntry.objects.using(self._state.db).bulk_create(
                JobLogEntry.from_dicts(self.pk, [line], self.attempt or 1)
            )

    def _save_log_entries(self, using: str | None) -> None:
        if self._assigned_log_entries is None:
            return
        lines = JobLogEntry.objects.using(using)
        lines.filter(job_id=self.pk).delete()
        lines.bulk_create(JobLogEntry.from_dicts(self.pk, self._assigned_log_entries, self.attempt or 1))
        self._assigned_log_entries = None

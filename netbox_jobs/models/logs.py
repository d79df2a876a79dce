"""`JobLogEntry`: one line of a job's log, in a table of its own."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ..text import storable_text


class JobLogEntry(models.Model):
    """A log line. Without a foreign key constraint: it is written while others hold the job's row locked."""

    job = models.ForeignKey(
        'netbox_jobs.Job', on_delete=models.DO_NOTHING, related_name='log_lines', db_constraint=False
    )
    attempt = models.PositiveIntegerField(_('attempt'), default=1)
    timestamp = models.DateTimeField(_('time'), default=timezone.now)
    level = models.CharField(_('level'), max_length=20)
    message = models.TextField(_('message'))

    class Meta:
        ordering = ('id',)
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

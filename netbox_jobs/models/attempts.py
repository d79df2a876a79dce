"""`JobAttempt`: an earlier attempt at a job. Without a foreign key constraint, as `Progress`."""

from datetime import datetime, timedelta

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .text import TextField


class JobAttempt(models.Model):
    """An attempt at a job after which it was to be run again. (The latest attempt is the job's row itself.)"""

    job = models.ForeignKey(
        'netbox_jobs.Job', on_delete=models.DO_NOTHING, related_name='attempts', db_constraint=False
    )
    number = models.PositiveIntegerField(_('attempt'))
    started = models.DateTimeField(_('started'), null=True)
    ended = models.DateTimeField(_('ended'), default=timezone.now)
    error = TextField(_('error'), blank=True, default='')
    crashed = models.BooleanField(_('crashed'), default=False)

    class Meta:
        ordering = ('number',)
        constraints = (models.UniqueConstraint(fields=('job', 'number'), name='netbox_jobs_attempt_once'),)
        verbose_name = _('attempt')
        verbose_name_plural = _('attempts')

    def __str__(self) -> str:
        return f'{self.number}: {self.error}'

    @property
    def duration(self) -> timedelta | None:
        """How long it took."""
        return self.ended - self.started if isinstance(self.started, datetime) else None

"""`Progress`: how far a run is. Without a foreign key constraint: it is written while the row of the job is locked."""

from datetime import timedelta

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .text import CharField

_MESSAGE = 255


class Progress(models.Model):
    """How far the latest run of a job has come, as it reported with `self.progress()`."""

    job = models.OneToOneField(
        'netbox_jobs.Job', on_delete=models.DO_NOTHING, related_name='+', db_constraint=False, primary_key=True
    )
    attempt = models.PositiveIntegerField(_('attempt'), default=1)
    current = models.BigIntegerField(_('current'), default=0)
    total = models.BigIntegerField(_('total'), null=True, blank=True)
    message = CharField(_('message'), max_length=_MESSAGE, blank=True, default='')
    # What the rate is computed from: where and when this run first reported.
    began_at = models.BigIntegerField(default=0)
    began = models.DateTimeField(default=timezone.now)
    updated = models.DateTimeField(_('updated'), default=timezone.now)

    class Meta:
        verbose_name = _('progress')
        verbose_name_plural = _('progress')

    def __str__(self) -> str:
        of = f' of {self.total:,}' if self.total is not None else ''
        percent = f' ({self.percent} %)' if self.percent is not None else ''
        return f'{self.current:,}{of}{percent}{f": {self.message}" if self.message else ""}'

    @property
    def percent(self) -> int | None:
        """How much of the total is done, from 0 to 100; None without a total."""
        if not self.total or self.total < 0:
            return None
        return max(0, min(100, self.current * 100 // self.total))

    @property
    def rate(self) -> float | None:
        """Steps in a second since the first report of the run; None until that is known."""
        seconds = (self.updated - self.began).total_seconds()
        done = self.current - self.began_at
        return done / seconds if seconds > 0 and done > 0 else None

    @property
    def remaining(self) -> timedelta | None:
        """How long the rest takes at this rate; None if that is not known."""
        if self.total is None or self.rate is None:
            return None
        return timedelta(seconds=max(0.0, (self.total - self.current) / self.rate))

"""`HourlyStatistics`: how many jobs ended in an hour, how long they waited and ran, kept after the jobs are deleted."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from .text import IdentityField


class HourlyStatistics(models.Model):
    """The jobs of one runner and queue that ended in one hour, added up by a worker when the hour is over.

    `waits` and `runs` count times in the groups of `core.histogram`, by the number of the group.
    """

    hour = models.DateTimeField(_('hour'))
    queue_name = IdentityField(_('queue'), max_length=100)
    runner = IdentityField(_('runner'), max_length=255, blank=True)
    count = models.PositiveBigIntegerField(_('jobs'))
    errored = models.PositiveBigIntegerField(_('errored'), default=0)
    failed = models.PositiveBigIntegerField(_('failed'), default=0)
    canceled = models.PositiveBigIntegerField(_('canceled'), default=0)
    waits = models.JSONField(_('waits'), default=dict)
    runs = models.JSONField(_('runs'), default=dict)

    class Meta:
        verbose_name = _('statistics of an hour')
        verbose_name_plural = _('statistics by the hour')
        constraints = [
            # Also serves the queries for a period.
            models.UniqueConstraint(fields=['hour', 'queue_name', 'runner'], name='netbox_jobs_statistics_hour'),
        ]

    def __str__(self) -> str:
        return f'{self.hour:%Y-%m-%d %H:%M} {self.queue_name} {self.runner}'

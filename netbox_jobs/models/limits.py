"""`LimitRow`: a limit that jobs have met, and the lock of its slots. `LimitSlot`: a job that has or awaits one."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from .loose import LooseForeignKey


class LimitRow(models.Model):
    """A limit of a runner, of a key, or of a queue. Its row is the lock under which its slots are counted."""

    #: The hash of the name.
    key = models.CharField(max_length=64, primary_key=True)
    name = models.CharField(_('name'), max_length=255)
    most = models.PositiveIntegerField(_('most'), help_text=_('How many jobs may run at once'))

    class Meta:
        verbose_name = _('limit')
        verbose_name_plural = _('limits')

    def __str__(self) -> str:
        return self.name


class LimitSlot(models.Model):
    """A job that has a slot of a limit, or waits in line for one.

    A slot counts as long as the row of the job says that it is delivered or runs: the end of the job is what frees it,
    however the job ends. What is left of it here is deleted later.
    """

    limit = models.CharField(max_length=64)
    #: The queue in which the job waits for a slot; empty if it has one.
    queue = models.CharField(max_length=100, blank=True, default='')
    job = LooseForeignKey('netbox_jobs.Job', related_name='+', null=False)
    #: Since when it waits in line, in milliseconds since the epoch; empty if it has a slot.
    since = models.BigIntegerField(null=True)

    class Meta:
        indexes = (models.Index(fields=('limit', 'queue', 'since', 'id'), name='netbox_jobs_limit_line'),)
        constraints = (models.UniqueConstraint(fields=('job', 'limit'), name='netbox_jobs_limit_once'),)
        verbose_name = _('slot of a limit')
        verbose_name_plural = _('slots of limits')

    def __str__(self) -> str:
        return f'{self.job_id}: {self.limit}'

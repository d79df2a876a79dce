"""`UniqueJob`: the latest of the jobs that count as the same; its row is the lock under which they are compared."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from .loose import LooseForeignKey
from .text import CharField


class UniqueJob(models.Model):
    """One row for all jobs with the same runner, instance and arguments, as far as `Meta.unique` compares them."""

    #: The hash of what is compared.
    key = CharField(max_length=64, unique=True)
    job = LooseForeignKey('netbox_jobs.Job', related_name='+', db_index=False)
    #: Until when it counts whatever becomes of it, in milliseconds since the epoch.
    until = models.BigIntegerField(default=0)

    class Meta:
        verbose_name = _('unique job')
        verbose_name_plural = _('unique jobs')

    def __str__(self) -> str:
        return f'{self.key}: {self.job_id}'

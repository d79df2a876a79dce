"""`JobStack`: what a running job was doing when a user asked. Without a foreign key constraint, as `Progress`."""

from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ..choices import JobStatusChoices
from .text import CharField, TextField

if TYPE_CHECKING:
    from .jobs import Job

#: How long after a request the answer is overdue: the process looks every three seconds.
OVERDUE = timedelta(seconds=15)


class JobStack(models.Model):
    """A request for the stack of a running job, and the answer. A new request replaces the earlier one."""

    job = models.OneToOneField(
        'netbox_jobs.Job', on_delete=models.DO_NOTHING, related_name='+', db_constraint=False, primary_key=True
    )
    attempt = models.PositiveIntegerField(_('attempt'), default=1)
    requested = models.DateTimeField(_('requested'), default=timezone.now)
    taken = models.DateTimeField(_('taken'), null=True, blank=True)
    stack = TextField(_('stack'), blank=True, default='')
    # In how many of the samples the job was at the same line.
    samples = models.PositiveSmallIntegerField(default=0)
    same = models.PositiveSmallIntegerField(default=0)
    host = CharField(_('host'), max_length=255, blank=True, default='')
    pid = models.PositiveIntegerField(_('process'), null=True, blank=True)
    memory = models.BigIntegerField(_('memory'), null=True, blank=True, help_text=_('Bytes'))
    cpu = models.FloatField(_('CPU'), null=True, blank=True, help_text=_('Of one core, while the samples were taken'))

    class Meta:
        verbose_name = _('stack')
        verbose_name_plural = _('stacks')

    def __str__(self) -> str:
        return f'{self.job_id}: {self.stack[-80:]}'

    @property
    def overdue(self) -> bool:
        """Whether the process should have answered by now: its code keeps all other threads waiting, or it has none."""
        return self.taken is None and timezone.now() - self.requested > OVERDUE

    @classmethod
    def ask(cls, job: 'Job') -> 'JobStack | None':
        """Ask the process that runs a job for its stack; it answers within seconds. The job is not interrupted.

        Returns:
            The request, whose row will have the answer; None if the job does not run.
        """
        using = job._state.db
        running = type(job).objects.using(using).filter(pk=job.pk, status=JobStatusChoices.STATUS_RUNNING)
        attempt = running.values_list('attempt', flat=True).first()
        if attempt is None:
            return None
        fresh = {'attempt': attempt, 'requested': timezone.now(), 'taken': None, 'stack': ''}
        rows = cls.objects.using(using)
        if not rows.filter(pk=job.pk).update(**fresh):
            rows.get_or_create(pk=job.pk, defaults=fresh)
        return rows.filter(pk=job.pk).first()

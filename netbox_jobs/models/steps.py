"""`JobStep`: a finished step of a job. Without a foreign key constraint, as `Progress`."""

from datetime import timedelta

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class JobStep(models.Model):
    """A step that a run has finished with `self.step()`: later attempts take its result, and do not run it."""

    job = models.ForeignKey(
        'netbox_jobs.Job', on_delete=models.DO_NOTHING, related_name='steps', db_constraint=False, db_index=False
    )
    #: The hash of the name: MariaDB compares texts without regard to case.
    key = models.CharField(max_length=64)
    name = models.CharField(_('name'), max_length=200)
    attempt = models.PositiveIntegerField(_('attempt'), default=1)
    started = models.DateTimeField(_('started'))
    completed = models.DateTimeField(_('completed'), default=timezone.now)
    # Signed, as the arguments of the job are.
    result = models.BinaryField(blank=True, default=b'')
    result_format = models.CharField(max_length=20, blank=True, default='')
    result_signature = models.CharField(max_length=64, blank=True, default='')
    result_shown = models.TextField(_('result'), blank=True, default='')

    class Meta:
        ordering = ('pk',)
        constraints = (models.UniqueConstraint(fields=('job', 'key'), name='netbox_jobs_step_once'),)
        verbose_name = _('step')
        verbose_name_plural = _('steps')

    def __str__(self) -> str:
        return self.name

    @property
    def duration(self) -> timedelta:
        """How long it took."""
        return self.completed - self.started

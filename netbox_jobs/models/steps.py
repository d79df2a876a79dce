"""`JobStep`: a step, a sleep or a wait of a job. `JobSignal`: what was sent to it. Without foreign key constraints."""

from datetime import timedelta

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .loose import LooseForeignKey
from .text import CharField, IdentityField, TextField


class JobStep(models.Model):
    """A step that a run has finished with `self.step()`, or a sleep or a wait that it has begun.

    Later attempts take its result, and do not do it again.
    """

    class Kind(models.TextChoices):
        """What it is."""

        STEP = 'step', _('step')
        SLEEP = 'sleep', _('sleep')
        WAIT = 'wait', _('wait for the signal')

    job = models.ForeignKey(
        'netbox_jobs.Job', on_delete=models.DO_NOTHING, related_name='steps', db_constraint=False, db_index=False
    )
    #: The hash of the name: MariaDB compares texts without regard to case.
    key = CharField(max_length=64)
    kind = CharField(_('kind'), max_length=10, choices=Kind.choices, default=Kind.STEP)
    #: Of a wait, that of its signal.
    name = CharField(_('name'), max_length=200)
    #: `Meta.version` of the code that began it.
    version = IdentityField(_('version'), max_length=50, blank=True, default='')
    attempt = models.PositiveIntegerField(_('attempt'), default=1)
    started = models.DateTimeField(_('started'))
    #: Empty while the job sleeps or waits.
    completed = models.DateTimeField(_('completed'), null=True, blank=True)
    #: When the sleep or the wait ends, in milliseconds since the epoch; empty for a wait without end.
    until = models.BigIntegerField(null=True)
    #: The number of the job's deliveries when it was given back for this sleep or wait. As long as the job waits and
    #: has no other, this is where it is.
    deliveries = models.PositiveIntegerField(null=True)
    # Signed, as the arguments of the job are.
    result = models.BinaryField(blank=True, default=b'')
    result_format = CharField(max_length=20, blank=True, default='')
    result_signature = CharField(max_length=64, blank=True, default='')
    result_shown = TextField(_('result'), blank=True, default='')

    class Meta:
        ordering = ('pk',)
        constraints = (models.UniqueConstraint(fields=('job', 'key'), name='netbox_jobs_step_once'),)
        verbose_name = _('step')
        verbose_name_plural = _('steps')

    def __str__(self) -> str:
        return self.name

    @property
    def title(self) -> str:
        """What a list of steps calls it: the name, with its kind if it is no step."""
        if self.kind == self.Kind.STEP:
            return self.name
        return f'{self.get_kind_display()} {self.name}'.rstrip()

    @property
    def duration(self) -> timedelta | None:
        """How long it took; None while it is not finished."""
        return None if self.completed is None else self.completed - self.started

    @property
    def timed_out(self) -> bool:
        """Whether it is a wait whose time was over before the signal came."""
        return self.kind == self.Kind.WAIT and self.completed is not None and not self.result_format


class JobSignal(models.Model):
    """A signal that was sent to a job, and that the job has not received yet."""

    job = LooseForeignKey('netbox_jobs.Job', related_name='+', null=False)
    #: The hash of the name, as in `JobStep`.
    key = CharField(max_length=64)
    name = CharField(_('name'), max_length=200)
    sent = models.DateTimeField(_('sent'), default=timezone.now)
    # Signed, as the arguments of the job are.
    payload = models.BinaryField(blank=True, default=b'')
    payload_format = CharField(max_length=20, blank=True, default='')
    payload_signature = CharField(max_length=64, blank=True, default='')
    payload_shown = TextField(_('payload'), blank=True, default='')

    class Meta:
        ordering = ('pk',)
        verbose_name = _('signal')
        verbose_name_plural = _('signals')

    def __str__(self) -> str:
        return self.name

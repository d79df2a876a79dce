"""`LimitRow`: a limit that jobs have met, and the lock of its slots. `LimitSlot`: a job that has or awaits one.

`RateStart`: what counts to a rate. `FairTurn`: whose turn it is in a queue.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _

from .loose import LooseForeignKey
from .text import CharField, IdentityField


class LimitRow(models.Model):
    """A limit or a rate of a runner, of a key, or of a queue. Its row is the lock under which its slots are counted."""

    #: The hash of the name.
    key = CharField(max_length=64, primary_key=True)
    name = CharField(_('name'), max_length=255)
    most = models.PositiveIntegerField(_('most'), help_text=_('How many jobs may run at once'))
    #: Of a rate: within how many milliseconds so many may begin.
    per = models.BigIntegerField(null=True)
    #: Of a rate that was found full: before this time, in milliseconds since the epoch, it is not looked at again.
    full_until = models.BigIntegerField(null=True)

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

    limit = CharField(max_length=64)
    #: The queue in which the job waits for a slot; empty if it has one.
    queue = IdentityField(max_length=100, blank=True, default='')
    job = LooseForeignKey('netbox_jobs.Job', related_name='+', null=False)
    #: The key of the job whose turn comes, if it has one.
    key = CharField(max_length=64, blank=True, default='')
    #: Its place in line, by priority and by the milliseconds since the epoch; empty if it has a slot.
    since = models.BigIntegerField(null=True)

    class Meta:
        indexes = (
            models.Index(fields=('limit', 'queue', 'since', 'id'), name='netbox_jobs_limit_line'),
            models.Index(fields=('limit', 'queue', 'key', 'since', 'id'), name='netbox_jobs_limit_key'),
        )
        constraints = (models.UniqueConstraint(fields=('job', 'limit'), name='netbox_jobs_limit_once'),)
        verbose_name = _('slot of a limit')
        verbose_name_plural = _('slots of limits')

    def __str__(self) -> str:
        return f'{self.job_id}: {self.limit}'


class RateStart(models.Model):
    """A job that has begun, or may begin, and counts to a rate; or a call that a run made.

    A job that was delivered counts until it is known when it has begun, and then until `per` has passed since.
    """

    limit = CharField(max_length=64)
    job = LooseForeignKey('netbox_jobs.Job', related_name='+', null=False)
    #: In milliseconds since the epoch; empty while the job may begin at any moment.
    until = models.BigIntegerField(null=True)

    class Meta:
        indexes = (models.Index(fields=('limit', 'until'), name='netbox_jobs_rate_until'),)
        verbose_name = _('start that counts to a rate')
        verbose_name_plural = _('starts that count to a rate')

    def __str__(self) -> str:
        return f'{self.job_id}: {self.limit}'


class FairTurn(models.Model):
    """A key of which jobs wait in a queue, and when it had its turn."""

    queue = IdentityField(max_length=100)
    key = CharField(max_length=64, blank=True)
    #: In microseconds since the epoch, to sort by; 0 if it has had none.
    served = models.BigIntegerField(default=0)

    class Meta:
        indexes = (models.Index(fields=('queue', 'served', 'id'), name='netbox_jobs_fair_served'),)
        constraints = (models.UniqueConstraint(fields=('queue', 'key'), name='netbox_jobs_fair_once'),)
        verbose_name = _('turn of a key')
        verbose_name_plural = _('turns of keys')

    def __str__(self) -> str:
        return f'{self.queue}: {self.key}'

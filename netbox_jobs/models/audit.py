"""`AuditEntry`: an action of a person on a job, a schedule, a queue, a worker or an error."""

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .fields import UserKey
from .text import CharField


class AuditEntry(models.Model):
    """What was done, to what, by whom. It refers to no row, so that it survives whatever it is about.

    `lifecycle.audit` writes it, in the transaction of the action; `maintenance.releases` when a release first runs.
    """

    ACTIONS = (
        ('cancel', _('Cancel')),
        ('stop', _('Stop')),
        ('retry', _('Retry')),
        ('delete', _('Delete')),
        ('change', _('Change')),
        ('pause', _('Pause')),
        ('resume', _('Resume')),
        ('run', _('Run now')),
        ('end', _('End')),
        ('leave', _('Finish and leave')),
        ('mute', _('Mute')),
        ('unmute', _('Unmute')),
        ('release', _('Release')),
    )
    TYPES = (
        ('job', _('Job')),
        ('schedule', _('Schedule')),
        ('workflow', _('Workflow')),
        ('queue', _('Queue')),
        ('worker', _('Worker')),
        ('error', _('Error')),
        ('release', _('Release')),
    )

    created = models.DateTimeField(_('time'), default=timezone.now, db_index=True)
    user = UserKey(_('user'))
    actor = CharField(_('by'), max_length=200, help_text=_('Who it was, in words'))
    face = CharField(_('interface'), max_length=20)
    action = CharField(_('action'), max_length=20, choices=ACTIONS)
    object_type = CharField(_('type'), max_length=20, choices=TYPES)
    object_id = CharField(_('object'), max_length=100, blank=True, help_text=_('Empty for several objects'))
    object_name = CharField(_('name'), max_length=200, blank=True)
    count = models.PositiveBigIntegerField(_('objects'), default=1)
    details = models.JSONField(_('details'), default=dict, encoder=DjangoJSONEncoder)

    class Meta:
        default_permissions = ('view',)
        indexes = (models.Index(fields=('object_type', 'object_id', 'id'), name='netbox_jobs_audit_object'),)
        verbose_name = _('audit entry')
        verbose_name_plural = _('audit entries')

    def __str__(self) -> str:
        return f'{self.actor}: {self.action} {self.object_type} {self.object_id or self.count}'

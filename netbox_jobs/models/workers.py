"""`Worker`: the lease of a process that runs jobs. The process counts up; others watch whether the count moves."""

from typing import Any

from django.db import models, router
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from . import services
from .text import CharField, IdentitiesField, IdentityField


class Worker(models.Model):
    """A process that holds claims on jobs. It has one row for its life, not one for each job that it runs."""

    token = CharField(max_length=32, unique=True, editable=False)
    name = IdentityField(_('name'), max_length=255)
    host = IdentityField(_('host'), max_length=255)
    pid = models.PositiveIntegerField(_('process'))
    queues = IdentitiesField(_('queues'), blank=True, default='')
    beats = models.PositiveBigIntegerField(_('beats'), default=0)
    started = models.DateTimeField(_('started'), default=timezone.now)
    version = CharField(
        _('version'), max_length=100, blank=True, default='', help_text=_('Of netbox_jobs, Django, RQ and Python')
    )

    leaving = models.DateTimeField(
        _('leaving'), null=True, blank=True, help_text=_('When it was told to finish its job and leave')
    )

    class Meta:
        permissions = (('stop_worker', _('Can tell workers to finish and leave')),)
        verbose_name = _('worker')
        verbose_name_plural = _('workers')

    def __str__(self) -> str:
        return self.name

    def leave(self, *, user: Any = None) -> bool:
        """Tell the worker to finish what it runs, begin no more jobs, and end; it does so within seconds.

        What starts workers, such as systemd or `rqworker-pool`, starts another one: a restart that stops no job.

        Args:
            user: The user who tells it, for the audit trail.

        Returns:
            Whether it was told for the first time; False as well for a process that only runs `immediate` jobs.
        """
        rows = type(self).objects.using(self._state.db or router.db_for_write(type(self)))
        rows = rows.filter(pk=self.pk, leaving=None).exclude(queues='')
        told: int = services.act('leave', self, lambda: rows.update(leaving=timezone.now()), user)
        return bool(told)

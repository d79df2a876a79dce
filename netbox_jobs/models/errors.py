"""`MutedError`: an error that operators know of, and that the page of errors hides."""

from typing import Any

from django.db import models, router
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from . import services
from .fields import UserKey
from .text import CharField


class MutedError(models.Model):
    """Errors of this fingerprint are muted while its row is here. The jobs are not affected."""

    fingerprint = CharField(_('fingerprint'), max_length=16, primary_key=True)
    since = models.DateTimeField(_('since'), default=timezone.now)
    user = UserKey()

    class Meta:
        verbose_name = _('muted error')
        verbose_name_plural = _('muted errors')

    def __str__(self) -> str:
        return self.fingerprint

    @classmethod
    def mute(cls, fingerprint: str, *, user: Any = None) -> bool:
        """Mute the errors of a fingerprint; return whether they were not muted before.

        Args:
            fingerprint: As `Job.fingerprint` has it.
            user: The user who mutes them, who is also kept on the row.
        """
        rows = cls.objects.using(router.db_for_write(cls))
        row = cls(fingerprint=fingerprint, user=user)
        new: bool = services.act(
            'mute', row, lambda: rows.get_or_create(pk=fingerprint, defaults={'user': user})[1], user
        )
        return new

    @classmethod
    def unmute(cls, fingerprint: str, *, user: Any = None) -> bool:
        """Unmute the errors of a fingerprint; return whether they were muted before.

        Args:
            fingerprint: As `Job.fingerprint` has it.
            user: The user who unmutes them, for the audit trail.
        """
        rows = cls.objects.using(router.db_for_write(cls)).filter(pk=fingerprint)
        unmuted: int = services.act('unmute', cls(fingerprint=fingerprint), lambda: rows.delete()[0], user)
        return bool(unmuted)

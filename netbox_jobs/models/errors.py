"""`MutedError`: an error that operators know of, and that the page of errors hides."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .fields import UserKey


class MutedError(models.Model):
    """Errors of this fingerprint are muted while its row is here. The jobs are not affected."""

    fingerprint = models.CharField(_('fingerprint'), max_length=16, primary_key=True)
    since = models.DateTimeField(_('since'), default=timezone.now)
    user = UserKey()

    class Meta:
        verbose_name = _('muted error')
        verbose_name_plural = _('muted errors')

    def __str__(self) -> str:
        return self.fingerprint

"""`PausedQueue`: a queue that workers leave alone for now. In the database, so that it survives the loss of Redis."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class PausedQueue(models.Model):
    """A queue is paused while its row is here. Jobs may still be enqueued; they wait."""

    name = models.CharField(_('queue'), max_length=100, primary_key=True)
    since = models.DateTimeField(_('since'), default=timezone.now)

    class Meta:
        permissions = (('pause_queue', _('Can pause and resume queues')),)
        verbose_name = _('paused queue')
        verbose_name_plural = _('paused queues')

    def __str__(self) -> str:
        return self.name

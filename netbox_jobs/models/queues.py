"""`PausedQueue`: a paused queue. `QueueLimit`: a limit set while workers run. The rows survive the loss of Redis."""

from typing import Any

from django.db import models, router
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ..core import queues
from . import services
from .text import IdentityField

#: The largest limit of a queue.
MOST = 1_000_000


class PausedQueue(models.Model):
    """A queue is paused while its row is here. Jobs may still be enqueued; they wait."""

    name = IdentityField(_('queue'), max_length=100, primary_key=True)
    since = models.DateTimeField(_('since'), default=timezone.now)

    class Meta:
        permissions = (('pause_queue', _('Can pause and resume queues')),)
        verbose_name = _('paused queue')
        verbose_name_plural = _('paused queues')

    def __str__(self) -> str:
        return self.name

    @classmethod
    def pause(cls, name: str, *, user: Any = None) -> bool:
        """Pause a queue: workers begin no more of its jobs until `resume()`; those that run finish.

        Args:
            name: The queue's full name.
            user: The user who pauses it, for the audit trail.

        Returns:
            Whether it was not paused before.

        Raises:
            UnknownQueue: There is no such queue; the message lists those that are.
        """
        rows = cls.objects.using(router.db_for_write(cls))
        row = cls(name=queues.check(name))
        new: bool = services.act('pause', row, lambda: rows.get_or_create(name=name)[1], user)
        return new

    @classmethod
    def pause_all(cls, *, user: Any = None) -> list[str]:
        """Pause all configured queues; return those that were not paused before."""
        return [name for name in queues.configured() if cls.pause(name, user=user)]

    @classmethod
    def resume_all(cls, *, user: Any = None) -> list[str]:
        """Resume all paused queues; return their names."""
        rows = cls.objects.using(router.db_for_write(cls))
        return [name for name in rows.order_by('name').values_list('name', flat=True) if cls.resume(name, user=user)]

    @classmethod
    def resume(cls, name: str, *, user: Any = None) -> bool:
        """Resume a queue. Recovery delivers its jobs within seconds, whatever happened to Redis.

        Args:
            name: The queue's full name; also one that is configured no more.
            user: The user who resumes it, for the audit trail.

        Returns:
            Whether it was paused before.

        Raises:
            UnknownQueue: There is no such queue; the message lists those that are.
        """
        rows = cls.objects.using(router.db_for_write(cls)).filter(name=name)
        resumed: int = services.act('resume', cls(name=name), lambda: rows.delete()[0], user)
        if not resumed:
            queues.check(name)
        return bool(resumed)


class QueueLimit(models.Model):
    """How many jobs of a queue run at once, set while workers run; it counts instead of `NETBOX_JOBS['QUEUES']`."""

    name = IdentityField(_('queue'), max_length=100, primary_key=True)
    most = models.PositiveIntegerField(
        _('jobs at once'), null=True, blank=True, help_text=_('Empty: no limit, whatever the settings say')
    )
    changed = models.DateTimeField(_('changed'), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _('limit of a queue')
        verbose_name_plural = _('limits of queues')

    def __str__(self) -> str:
        return self.name

    @classmethod
    def set(cls, name: str, most: int | None, *, user: Any = None) -> None:
        """Say how many jobs of a queue run at once from now on; running jobs finish, and count.

        Args:
            name: The queue's full name.
            most: The number, from 1; None for no limit, whatever the settings say.
            user: The user who sets it, for the audit trail.

        Raises:
            UnknownQueue: There is no such queue; the message lists those that are.
            ValueError: The number is no whole number from 1.
        """
        if most is not None and (isinstance(most, bool) or not isinstance(most, int) or not 1 <= most <= MOST):
            raise ValueError(f'The limit of a queue is {most!r}; expected a whole number from 1 to {MOST:,}, or None.')
        name = queues.check(name)
        services.act('change', cls(name=name), lambda: services.limit_queue(name, most) is None, user)

    @classmethod
    def reset(cls, name: str, *, user: Any = None) -> bool:
        """Have the settings say again how many jobs of a queue run at once.

        Args:
            name: The queue's full name; also one that is configured no more.
            user: The user who resets it, for the audit trail.

        Returns:
            Whether `set()` had said something else.
        """
        return bool(services.act('change', cls(name=name), lambda: services.reset_queue_limit(name), user))

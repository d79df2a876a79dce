"""`RepairCount`: how often recovery has repaired what, since the tables were made."""

from django.db import models, router
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .text import CharField


class RepairCount(models.Model):
    """A kind of repair, and how many there were. In the database, so that all processes count together."""

    class Kind(models.TextChoices):
        """What recovery repairs."""

        REDELIVERY = 'redelivery', _('a waiting job that Redis had lost was delivered again')
        ORPHAN = 'orphan', _('a running job whose process was gone was ended or requeued')
        DEAD_WORKER = 'dead_worker', _('a worker without heartbeats was declared dead')
        DEPENDENT = 'dependent', _('a job was released whose dependencies had ended unnoticed')
        CHAIN = 'chain', _('a missing occurrence of a schedule was made')

    kind = CharField(_('kind'), max_length=30, choices=Kind.choices, primary_key=True)
    number = models.PositiveBigIntegerField(_('number'), default=0)
    latest = models.DateTimeField(_('latest'), default=timezone.now)

    class Meta:
        verbose_name = _('number of repairs')
        verbose_name_plural = _('numbers of repairs')

    def __str__(self) -> str:
        return f'{self.kind}: {self.number}'

    @classmethod
    def add(cls, kind: str, number: int) -> None:
        """Count repairs. A process that dies between a repair and its count leaves one out.

        Args:
            kind: One of `Kind`.
            number: How many; nothing is written for 0.
        """
        if not number:
            return
        rows, now = cls.objects.using(router.db_for_write(cls)), timezone.now()
        if rows.filter(pk=kind).update(number=F('number') + number, latest=now):
            return
        _row, new = rows.get_or_create(kind=kind, defaults={'number': number, 'latest': now})
        if not new:
            rows.filter(pk=kind).update(number=F('number') + number, latest=now)

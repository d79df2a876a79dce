"""`PendingChange`: what is to be written to a schedule or a job once another transaction has released its lock."""

from typing import Any

from django.db import models, transaction
from django.utils import timezone

from .home import AtHome
from .text import CharField


class PendingChange(AtHome):
    """A change that did not wait for the transaction which keeps its row locked.

    Either `enqueue_once()` has stored a job that is to join its schedule, or a job of the schedule has ended and has no
    successor yet, or it was requeued and has no slot yet; or the run of a job is over, and its outcome is not in the
    row of the job yet. Recovery makes the change, if the process that stored it has not.
    """

    # Without a foreign key constraint, as `Progress`.
    job_id = models.BigIntegerField(primary_key=True)
    #: The key of the schedule that the job is to join; empty if its job has ended, was requeued, or is over.
    key = CharField(max_length=64, blank=True, default='', db_index=True)
    values = models.JSONField(default=dict)
    created = models.DateTimeField(default=timezone.now)

    @classmethod
    def leave(cls, job: Any, values: dict[str, Any], using: str) -> None:
        """Leave something to be done with a job or its schedule, beside what was left for it before."""
        # Locked: who does what was left before does not forget this with it.
        rows = cls._default_manager.using(using).select_for_update()
        with transaction.atomic(using=using):
            change, made = rows.get_or_create(job_id=job.pk, defaults={'values': values})
            if not made:
                change.values = {**change.values, **values}
                change.save(using=using, update_fields=['values'])

    def forget(self, name: str) -> None:
        """Delete one of the values, which is done; without others, the row. It must be locked."""
        del self.values[name]
        if self.values:
            self.save(update_fields=['values'])
        else:
            self.delete()

    def __str__(self) -> str:
        return f'of job {self.job_id}, or of its schedule'

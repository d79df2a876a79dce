"""`PendingChange`: what is to be done with a schedule once another transaction has released its lock."""

from django.db import models
from django.utils import timezone

from .home import AtHome


class PendingChange(AtHome):
    """A change of a schedule that did not wait for the transaction which keeps the schedule locked.

    Either `enqueue_once()` has stored a job that is to join its schedule, or a job of the schedule has ended and has no
    successor yet. Recovery makes the change, if the process that stored it has not.
    """

    # Without a foreign key constraint, as `Progress`.
    job_id = models.BigIntegerField(primary_key=True)
    #: The key of the schedule that the job is to join; empty if its job has ended.
    key = models.CharField(max_length=64, blank=True, default='', db_index=True)
    values = models.JSONField(default=dict)
    created = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f'of the schedule of job {self.job_id}'

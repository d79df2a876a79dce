"""`Schedule`: what recurs. Its row is also the lock of its key: whoever changes a chain of jobs updates it first."""

from typing import TYPE_CHECKING, Any

from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ..choices import JobNotificationChoices, JobStatusChoices
from .fields import InstanceKey, ObjectIdField, UserKey

if TYPE_CHECKING:
    from .jobs import Job


class Schedule(models.Model):
    """A runner that is to run once at a time, or again and again, for one object or for none."""

    key = models.CharField(
        _('key'),
        max_length=64,
        unique=True,
        editable=False,
        help_text=_('SHA-256 of the runner and the object; of the first job for a chain that enqueue() began'),
    )
    runner = models.CharField(_('runner'), max_length=255)
    name = models.CharField(_('name'), max_length=200)
    object_type = models.ForeignKey(
        'contenttypes.ContentType', on_delete=models.CASCADE, related_name='+', blank=True, null=True
    )
    object_id = ObjectIdField(max_length=255, blank=True, null=True)
    object_db = models.CharField(max_length=100, blank=True, default='', editable=False)
    object = InstanceKey('object_type', 'object_id', for_concrete_model=False)
    interval = models.PositiveIntegerField(_('interval'), blank=True, null=True, help_text=_('Minutes between runs'))
    cron = models.CharField(_('cron'), max_length=200, blank=True, default='')
    time_zone = models.CharField(_('time zone'), max_length=64, blank=True, default='')
    queue_name = models.CharField(_('queue'), max_length=100)
    user = UserKey()
    notifications = models.CharField(
        _('notifications'),
        max_length=30,
        choices=JobNotificationChoices.CHOICES,
        default=JobNotificationChoices.NOTIFICATION_ALWAYS,
    )
    job_timeout = models.IntegerField(_('time limit'), blank=True, null=True, help_text=_('Seconds'))
    paused = models.BooleanField(_('paused'), default=False)
    suspended = models.TextField(
        _('suspended'), blank=True, default='', help_text=_('Why the next occurrence was not made, if it was not')
    )
    created = models.DateTimeField(_('created'), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _('schedule')
        verbose_name_plural = _('schedules')

    def __str__(self) -> str:
        return self.name

    @property
    def recurs(self) -> bool:
        """Whether anything follows the occurrence that waits or runs now."""
        return self.interval is not None or bool(self.cron)

    def current_job(self) -> 'Job | None':
        """The job of this schedule that waits, else the one that runs, else None."""
        jobs: Any = self.jobs
        waiting = jobs.filter(status__in=JobStatusChoices.WAITING_STATE_CHOICES).first()
        found: Job | None = waiting or jobs.filter(status=JobStatusChoices.STATUS_RUNNING).first()
        return found

    def end(self) -> None:
        """End the schedule: a job of it that waits is deleted; one that runs finishes, and nothing follows it."""
        with transaction.atomic(using=self._state.db):
            waiting = self.jobs.filter(status__in=JobStatusChoices.WAITING_STATE_CHOICES)
            jobs = list(waiting)
            self.delete()
            for job in jobs:
                job.delete()

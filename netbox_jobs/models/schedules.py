"""`Schedule`: what recurs. Its row is also the lock of its key: every change of a chain of jobs updates it first."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ..choices import JobNotificationChoices, JobStatusChoices
from ..core import recurrence
from ..core.recurrence import Recurrence
from . import services
from .fields import InstanceKey, ObjectIdField, UserKey
from .home import AtHome
from .jobs import Job
from .querysets import JobManager, JobQuerySet
from .text import CharField, IdentityField, TextField

#: The fields that a schedule and its jobs share.
SHARED = frozenset({'job_timeout', 'name', 'notifications', 'queue_name', 'user_id'})


class Schedule(AtHome):
    """A runner that is to run once at a time, or again and again, for one object or for none."""

    key = CharField(
        _('key'),
        max_length=64,
        unique=True,
        editable=False,
        help_text=_('SHA-256 of the runner and the object; of the first job for a chain that enqueue() began'),
    )
    runner = IdentityField(_('runner'), max_length=255)
    name = CharField(_('name'), max_length=200)
    object_type = models.ForeignKey(
        'contenttypes.ContentType',
        on_delete=models.CASCADE,
        related_name='+',
        db_index=False,  # the one that begins with it serves
        blank=True,
        null=True,
    )
    object_id = ObjectIdField(max_length=255, blank=True, null=True)
    object_db = IdentityField(max_length=100, blank=True, default='', editable=False)
    tenant = IdentityField(
        _('tenant'), max_length=100, blank=True, default='', editable=False, help_text=_('Whose the object is')
    )
    object = InstanceKey('object_type', 'object_id', for_concrete_model=False)
    interval = models.PositiveIntegerField(_('interval'), blank=True, null=True, help_text=_('Minutes between runs'))
    cron = CharField(_('cron'), max_length=200, blank=True, default='')
    time_zone = CharField(_('time zone'), max_length=64, blank=True, default='')
    default_zone = CharField(
        max_length=64, blank=True, default='', editable=False, help_text=_('TIME_ZONE when the next run was planned')
    )
    queue_name = IdentityField(_('queue'), max_length=100)
    user = UserKey()
    notifications = CharField(
        _('notifications'),
        max_length=30,
        choices=JobNotificationChoices.CHOICES,
        default=JobNotificationChoices.NOTIFICATION_ALWAYS,
    )
    job_timeout = models.IntegerField(_('time limit'), blank=True, null=True, help_text=_('Seconds'))
    paused = models.BooleanField(_('paused'), default=False)
    suspended = TextField(
        _('suspended'), blank=True, default='', help_text=_('Why the next occurrence was not made, if it was not')
    )
    runs = models.PositiveIntegerField(_('runs'), default=0, editable=False, help_text=_('How many have ended so far'))
    created = models.DateTimeField(_('created'), default=timezone.now, editable=False)

    if TYPE_CHECKING:
        jobs: JobManager[Job]

    class Meta:
        # For the deletion of an object, however many others have schedules.
        indexes = (models.Index(fields=('object_type', 'object_id'), name='netbox_jobs_schedule_object'),)
        permissions = (('manage_schedule', _('Can change, pause, run and end schedules')),)
        verbose_name = _('schedule')
        verbose_name_plural = _('schedules')

    def __str__(self) -> str:
        return self.name

    @property
    def recurrence(self) -> Recurrence:
        """How it recurs."""
        return Recurrence(self.interval, self.cron, self.time_zone)

    @property
    def _jobs(self) -> JobQuerySet[Job]:
        """Its jobs, on the primary: Django reads a relation from wherever the router reads."""
        return self.jobs.using(self._state.db)

    def current_job(self) -> Job | None:
        """The job of this schedule that waits, else the one that runs, else None."""
        jobs = self._jobs
        found = jobs.filter(slot=self.pk).first()
        if found is None:
            # Sorted here: for the first row of an order, a database may read a table in that order until it finds one.
            active = list(jobs.filter(status__in=JobStatusChoices.ENQUEUED_STATE_CHOICES).order_by())
            found = max(active, key=lambda job: (job.status != JobStatusChoices.STATUS_RUNNING, job.pk), default=None)
        return found

    @property
    def next_run(self) -> datetime | None:
        """When the waiting job is due; None if none waits, or the schedule is paused."""
        job = None if self.paused else self._jobs.filter(slot=self.pk).first()
        return (job.scheduled or job.created) if job is not None else None

    @property
    def last_job(self) -> Job | None:
        """The job that ended last, with when and how it ended; None if none has, or none is kept."""
        return self.ended_jobs.first()

    @property
    def ended_jobs(self) -> JobQuerySet[Job]:
        """Its jobs that have ended, the latest first."""
        return self.latest_jobs.ended()

    @property
    def latest_jobs(self) -> JobQuerySet[Job]:
        """Its jobs, the latest first, by the index on schedule and key.

        As a range of one key: for an equality, a planner takes the order by key alone, and may look for the newest of
        a schedule that has rested for long among the jobs of all.
        """
        jobs = Job.objects.using(self._state.db).filter(schedule_id__gte=self.pk, schedule_id__lte=self.pk)
        return jobs.order_by('-schedule_id', '-pk')

    def change(
        self,
        *,
        interval: int | None = None,
        cron: str | None = None,
        timezone: str | None = None,
        user: Any = None,
    ) -> None:
        """Change when it recurs, beginning with the occurrence that waits.

        Args:
            interval: Minutes between runs; or
            cron: five fields, with
            timezone: the name of their time zone; the project's if omitted.
            user: The user who changes it, for the audit trail.

        Raises:
            ValueError: Neither is given, both are, or one is not acceptable.
        """
        recurrence.check_interval(interval)
        fields = recurrence.check_cron(cron, timezone)
        if (interval is None) == (not fields[0]):
            raise ValueError('Give either interval or cron.')
        wanted = Recurrence(interval, *fields)
        services.act('change', self, lambda: services.change_schedule(self, wanted) or True, user)

    def pause(self, *, user: Any = None) -> bool:
        """Let no more occurrences begin until `resume()`; one that runs finishes.

        Args:
            user: The user who pauses it, for the audit trail.

        Returns:
            Whether it was not paused before.
        """
        paused: bool = services.act('pause', self, lambda: services.pause_schedule(self), user)
        return paused

    def resume(self, *, user: Any = None) -> bool:
        """Continue after a pause or a suspension. What was missed meanwhile runs once, at once; then by the calendar.

        A chain that stopped because its next occurrence could not be made begins again a minute from now at the
        earliest; if the reason still holds, `suspended` says so again.

        Args:
            user: The user who resumes it, for the audit trail.

        Returns:
            Whether it was paused or suspended before.
        """
        resumed: bool = services.act('resume', self, lambda: services.resume_schedule(self), user)
        return resumed

    def run_now(self, *, user: Any = None) -> Job | None:
        """Run the occurrence that waits now, also while the schedule is paused; the next one counts from it.

        Args:
            user: The user who runs it, for the audit trail.

        Returns:
            The job; None if none waits, because one runs now, or the schedule has ended.
        """
        job: Job | None = services.act('run', self, lambda: services.run_schedule_now(self), user)
        return job

    def end(self, *, user: Any = None) -> None:
        """End the schedule: its waiting job is deleted; one that runs finishes, and has no successor.

        Args:
            user: The user who ends it, for the audit trail.
        """
        services.act('end', self, lambda: services.end_schedule(self) or True, user)

    change.alters_data = pause.alters_data = resume.alters_data = True  # type: ignore[attr-defined]
    run_now.alters_data = end.alters_data = True  # type: ignore[attr-defined]

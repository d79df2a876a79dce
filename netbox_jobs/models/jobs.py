"""`Job`: the row that is the job; intent and outcome of one occurrence."""

import logging
import uuid
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from django.core.serializers.json import DjangoJSONEncoder
from django.core.validators import MinValueValidator
from django.db import models, router
from django.db.models import Q
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ..choices import JobNotificationChoices, JobStatusChoices
from ..core import order
from ..core.claim import Claim, Outcome
from ..core.recurrence import Recurrence
from .actions import JobActions
from .data import DataField
from .fields import InstanceKey, ObjectIdField, UserKey
from .home import AtHome
from .indexes import PartialIndex
from .logs import KeepsLog
from .loose import LooseForeignKey, LooseOneToOneField
from .querysets import JobManager
from .saving import GuardedSave
from .text import CharField, IdentityField, TextField

logger = logging.getLogger('netbox_jobs')


class Job(GuardedSave, KeepsLog, JobActions, AtHome):
    """A background job: what is to be run, where it stands, and what came of it."""

    object_type = models.ForeignKey(
        'contenttypes.ContentType',
        on_delete=models.CASCADE,
        related_name='+',  # `jobs` is taken where NetBox is installed
        db_index=False,  # the one that begins with it serves
        blank=True,
        null=True,
    )
    object_id = ObjectIdField(_('object'), max_length=255, blank=True, null=True)
    object_db = IdentityField(max_length=100, blank=True, default='', editable=False)
    tenant = IdentityField(
        _('tenant'), max_length=100, blank=True, default='', editable=False, help_text=_('Whose the object is')
    )
    object = InstanceKey('object_type', 'object_id', for_concrete_model=False)
    name = CharField(_('name'), max_length=200, blank=True)
    runner = IdentityField(
        _('runner'), max_length=255, blank=True, editable=False, help_text=_('Dotted path of the code; its identity')
    )
    created = models.DateTimeField(_('created'), default=timezone.now, editable=False)
    scheduled = models.DateTimeField(_('scheduled'), null=True, blank=True)
    due = models.BigIntegerField(
        null=True,
        blank=True,
        editable=False,
        help_text=_('Milliseconds since the epoch; empty while it depends on others'),
    )
    interval = models.PositiveIntegerField(
        _('interval'), null=True, blank=True, validators=(MinValueValidator(1),), help_text=_('Minutes between runs')
    )
    started = models.DateTimeField(_('started'), null=True, blank=True)
    completed = models.DateTimeField(_('completed'), null=True, blank=True)
    execution_time = models.DurationField(_('execution time'), null=True, blank=True, editable=False)
    user = UserKey(db_index=False)
    status = CharField(
        _('status'), max_length=30, choices=JobStatusChoices.CHOICES, default=JobStatusChoices.STATUS_PENDING
    )
    data = DataField(_('data'), encoder=DjangoJSONEncoder, null=True, blank=True)
    error = TextField(_('error'), blank=True, editable=False)
    fingerprint = CharField(
        max_length=16, blank=True, default='', editable=False, help_text=_('What errors of one cause share')
    )
    ran_on = IdentityField(
        _('worker'),
        max_length=255,
        blank=True,
        default='',
        editable=False,
        help_text=_('In which it errored or failed'),
    )
    job_id = models.UUIDField(_('job ID'), unique=True, default=uuid.uuid4, editable=False)
    queue_name = IdentityField(_('queue'), max_length=100, blank=True)
    notifications = CharField(
        _('notifications'),
        max_length=30,
        choices=JobNotificationChoices.CHOICES,
        default=JobNotificationChoices.NOTIFICATION_ALWAYS,
    )
    job_timeout = models.IntegerField(_('time limit'), null=True, blank=True, help_text=_('Seconds; -1 for none'))
    options = models.JSONField(default=dict, blank=True, editable=False, help_text=_("RQ's options of the call"))
    retry_policy = models.JSONField(
        default=dict, blank=True, editable=False, help_text=_('The retry options of the call')
    )
    # Under the signature of the arguments: a tenant must not be changed outside the app.
    context = models.JSONField(
        _('context'), default=dict, blank=True, editable=False, help_text=_('What the call was made in')
    )
    arguments = models.BinaryField(blank=True, default=b'')
    arguments_format = CharField(max_length=20, blank=True, default='', editable=False)
    arguments_signature = CharField(max_length=64, blank=True, default='', editable=False)
    arguments_shown = TextField(_('arguments'), blank=True, default='', editable=False)
    schedule = LooseForeignKey(
        'netbox_jobs.Schedule', related_name='jobs', db_index=False
    )  # the index of schedule and id serves
    # The schedule, while the job waits: the unique constraint allows one waiting job for each (MariaDB has no
    # conditional ones). A plain number, so that nothing joins over it.
    slot = models.BigIntegerField(unique=True, null=True, editable=False)
    # Unique: a job has one successor. Without a constraint to the other row, so that retention may remove it.
    predecessor = LooseOneToOneField('self', related_name='successor')
    # Without constraints, which would have the end of a job wait for a transaction that inserts what depends on it.
    dependencies = models.ManyToManyField(
        'self', symmetrical=False, related_name='dependents', blank=True, db_constraint=False
    )
    # Without an index, which each INSERT would pay for: the rows of its members find the jobs of a workflow.
    workflow = LooseForeignKey('netbox_jobs.Workflow', related_name='+', db_index=False)
    # How many jobs may run at once that have this limit; see `limits.py`.
    limit = CharField(max_length=255, blank=True, default='', editable=False)
    limit_most = models.PositiveIntegerField(null=True, editable=False)
    # How many jobs may begin that have this rate, and within how many milliseconds.
    rate = CharField(max_length=255, blank=True, default='', editable=False)
    rate_most = models.PositiveIntegerField(null=True, editable=False)
    rate_per = models.BigIntegerField(null=True, editable=False)
    priority = models.SmallIntegerField(
        _('priority'), default=order.DEFAULT, editable=False, help_text=_('From 0 to 9; more is sooner')
    )
    fair_key = CharField(
        max_length=64, blank=True, default='', editable=False, help_text=_('Whose turn it is when it begins')
    )
    held = models.BooleanField(
        default=False, editable=False, help_text=_('Whether a worker may not claim it, as it has no slot of its limits')
    )
    slotted = models.BooleanField(
        default=False, editable=False, help_text=_('Whether it was given slots, which its end gives to others')
    )
    awaited = models.BooleanField(default=False, editable=False, help_text=_('Whether other jobs depend on it'))
    deliveries = models.PositiveIntegerField(default=0, editable=False)
    attempt = models.PositiveIntegerField(_('attempt'), default=0, editable=False)
    releases = models.PositiveSmallIntegerField(default=0, editable=False)
    crashes = models.PositiveSmallIntegerField(_('crashes'), default=0, editable=False)
    retries = models.PositiveSmallIntegerField(_('retries'), default=0, editable=False)
    retry_of = LooseForeignKey('self', related_name='+', db_index=False)
    stopping = models.DateTimeField(
        _('stopping'), null=True, editable=False, help_text=_('When a stop was requested while it ran')
    )
    worker = CharField(
        max_length=32, null=True, editable=False, help_text=_('Token of the worker that runs it')
    )  # NULL: no claim
    backend_id = models.BigIntegerField(null=True, editable=False, help_text=_('Its database session'))

    objects: ClassVar[JobManager[Self]] = JobManager()

    #: What this object may write to its row; set by `lifecycle` alone. Without a claim it was merely loaded.
    claim: Claim | None = None
    #: The end that this object has recorded.
    outcome: Outcome | None = None
    #: Those that it was loaded with to be deleted; see `cascades.py`.
    cascade: Any = None

    class Meta:
        ordering = ('-created',)
        # Each costs every INSERT and, as the status changes, every UPDATE; a partial one, those of its rows alone. The
        # foreign keys that begin one of these have none of their own.
        indexes = (
            models.Index(fields=('-created',), name='netbox_jobs_job_created'),
            # What ended of late, without reading what ended long ago: the overview, and the list in that order.
            models.Index(fields=('completed',), name='netbox_jobs_job_completed'),
            # What went wrong of late, by cause: the page of errors.
            PartialIndex(
                fields=('fingerprint', 'completed'), name='netbox_jobs_job_error', where=Q(fingerprint__gt='')
            ),
            # How many wait in a queue, and since when: the overview, and the list of one queue.
            models.Index(fields=('queue_name', 'status', 'due'), name='netbox_jobs_job_queue'),
            # The latest of a schedule, however many there have been.
            PartialIndex(fields=('schedule', 'id'), name='netbox_jobs_job_schedule', where=Q(schedule__isnull=False)),
            models.Index(fields=('status', 'due'), name='netbox_jobs_job_status_due'),
            # In the order in which they are listed: one whose jobs are long past is found without reading newer ones.
            PartialIndex(
                fields=('object_type', 'object_id', 'created'),
                name='netbox_jobs_job_object',
                where=Q(object_type__isnull=False),
            ),
            PartialIndex(fields=('retry_of',), name='netbox_jobs_job_retry_of', where=Q(retry_of__isnull=False)),
            PartialIndex(fields=('user',), name='netbox_jobs_job_user', where=Q(user__isnull=False)),
            models.Index(fields=('runner', 'status'), name='netbox_jobs_job_runner'),
        )
        permissions = (
            ('cancel_job', _('Can cancel or stop jobs')),
            ('retry_job', _('Can retry jobs')),
            ('inspect_job', _('Can see the stack of running jobs')),
            ('signal_job', _('Can send signals to jobs')),
        )
        verbose_name = _('job')
        verbose_name_plural = _('jobs')

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """The job's page in the admin; empty in a project without it."""
        try:
            return reverse('admin:netbox_jobs_job_change', args=(self.pk,))
        except NoReverseMatch:
            return ''

    def follows_enqueued(self) -> bool:
        """Whether another occurrence of its schedule has not ended: until then, recovery keeps this one waiting."""
        if self.schedule_id is None:
            return False
        others = type(self).objects.using(self._state.db).filter(schedule_id=self.schedule_id).exclude(pk=self.pk)
        return others.filter(status__in=JobStatusChoices.ENQUEUED_STATE_CHOICES).exists()

    def refresh_from_db(self, using: str | None = None, fields: Any = None, from_queryset: Any = None) -> None:
        """Load the row again; `log_entries` may be among the fields."""
        self._assigned_log_entries = None
        if fields is not None:
            fields = [field for field in fields if field != 'log_entries']
            if not fields:
                return
        super().refresh_from_db(using, fields, from_queryset)

    def get_status_color(self) -> str | None:
        """The color that goes with the status."""
        return JobStatusChoices.colors.get(self.status)

    @property
    def duration(self) -> str | None:
        """How long the run took, as '2 minutes, 3.50 seconds'; None until it has ended."""
        if self.execution_time is None:
            return None
        minutes, seconds = divmod(self.execution_time.total_seconds(), 60)
        return f'{int(minutes)} minutes, {seconds:.2f} seconds'

    @property
    def elapsed_time(self) -> timedelta | None:
        """How long the run took, or has taken so far; None before it begins."""
        if self.execution_time is not None or self.started is None or self.ended:
            return self.execution_time
        return timezone.now() - self.started

    @property
    def ended(self) -> bool:
        """Whether the job has ended. A `status` that `run()` assigns does not count: the end of the run decides."""
        if self.outcome is not None:
            return self.outcome.status in JobStatusChoices.TERMINAL_STATE_CHOICES
        return self.claim is None and self.status in JobStatusChoices.TERMINAL_STATE_CHOICES

    @property
    def delivery_id(self) -> str:
        """The id that RQ knows the latest delivery by; the first one's is `job_id`."""
        return str(self.job_id) if self.deliveries <= 1 else f'{self.job_id}-{self.deliveries}'

    @property
    def recurrence_at_claim(self) -> Recurrence:
        """The interval that the row had when it was claimed; `run()` may have set another since."""
        return Recurrence(self.interval if self.claim is None else self.claim.interval)

    def next_time(self, recurrence: Recurrence) -> datetime:
        """When the occurrence after this one is due."""
        now = timezone.now()
        return recurrence.next(self.scheduled or self.started or now, now)


def database() -> str:
    """The alias of the database that holds the jobs."""
    return router.db_for_write(Job)

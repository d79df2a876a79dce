"""`Workflow`: jobs with one state and an order among them. `WorkflowMember`: the place of a job in a workflow."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.db.models import Count
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ..choices import JobStatusChoices, WorkflowStatusChoices
from ..core.text import storable_text
from . import services
from .fields import UserKey
from .home import AtHome
from .jobs import Job
from .loose import LooseForeignKey
from .text import CharField, TextField

#: What a member is that no other name of a status says.
SKIPPED, DELETED = 'skipped', 'deleted'
#: The callbacks of a workflow.
CALLBACKS = ('on_first_failure', 'on_success', 'on_complete')


@dataclass(frozen=True, slots=True)
class WorkflowCounts:
    """How many members of a workflow there are, by where they stand. Callbacks do not count."""

    #: All of them.
    total: int = 0
    waiting: int = 0
    running: int = 0
    completed: int = 0
    failed: int = 0
    errored: int = 0
    canceled: int = 0
    #: Not needed: no member has failed after whose failure they were to run.
    skipped: int = 0
    #: Deleted before they had ended.
    deleted: int = 0

    @property
    def done(self) -> int:
        """How many have ended."""
        return self.total - self.waiting - self.running

    @property
    def percent(self) -> int:
        """How many of 100 have ended; 100 if there are none."""
        return self.done * 100 // self.total if self.total else 100


class Workflow(AtHome):
    """Jobs with one state: some come after others, some run side by side. Make one with `begin()`."""

    name = CharField(_('name'), max_length=200)
    status = CharField(
        _('status'),
        max_length=30,
        choices=WorkflowStatusChoices.CHOICES,
        default=WorkflowStatusChoices.STATUS_RUNNING,
        editable=False,
    )
    user = UserKey()
    created = models.DateTimeField(_('created'), default=timezone.now, editable=False)
    completed = models.DateTimeField(_('completed'), null=True, blank=True, editable=False)
    deadline = models.DateTimeField(_('deadline'), null=True, blank=True)
    #: The status that it gets when its members have ended, if it is being canceled.
    ending = CharField(max_length=30, blank=True, default='', editable=False)
    error = TextField(_('error'), blank=True, default='', editable=False)

    if TYPE_CHECKING:
        members: models.Manager['WorkflowMember']

    class Meta:
        indexes = (
            models.Index(fields=('status', 'completed'), name='netbox_jobs_workflow_status'),
            models.Index(fields=('-created',), name='netbox_jobs_workflow_created'),
        )
        permissions = (
            ('cancel_workflow', _('Can cancel workflows')),
            ('retry_workflow', _('Can retry workflows')),
        )
        verbose_name = _('workflow')
        verbose_name_plural = _('workflows')

    def __str__(self) -> str:
        return self.name

    @classmethod
    def begin(
        cls,
        name: str,
        *,
        user: Any = None,
        deadline: datetime | timedelta | None = None,
        on_success: Any = None,
        on_complete: Any = None,
        on_first_failure: Any = None,
    ) -> AbstractContextManager[Self]:
        """Make a workflow, in a transaction that commits at the end of the block: `with Workflow.begin('x') as flow:`.

        Args:
            name: For people, at most 200 characters.
            user: The user that it is done for, also of the jobs that name no other.
            deadline: When it fails if it has not ended: a datetime (aware with `USE_TZ`), or how long from now.
            on_success: What runs once when all members have completed: a runner, or `using()` of one.
            on_complete: What runs once when all members have ended, however they ended.
            on_first_failure: What runs once when the first member has failed or errored.

        Raises:
            ValueError: The name or the deadline is not acceptable.
            TypeError: A callback is no runner.
        """
        given = {'name': name, 'user': user, 'deadline': deadline}
        callbacks: dict[str, Any] = dict(zip(CALLBACKS, (on_first_failure, on_success, on_complete), strict=True))
        made: AbstractContextManager[Self] = services.begin_workflow(given, callbacks)
        return made

    def add(self, name: str, what: Any, *, after: Any = (), on_failure_of: Any = (), **kwargs: Any) -> Job:
        """Add a job, while the workflow is being made or runs. A worker receives it after the commit.

        Args:
            name: Its name, unique in the workflow, at most 200 characters.
            what: A runner; or `using(...)` or `using(...).call(...)` of one.
            after: Members by their names, or jobs, which must have completed first; one or several.
            on_failure_of: The same, of which one must have failed or errored.
            **kwargs: The keywords of the runner's `enqueue()`; with `using()`, the arguments of `run()`.

        Returns:
            The job.

        Raises:
            ValueError: The workflow has ended or is being canceled, the name is taken, there is no such member, or an
                option is not acceptable; nothing was written.
            TypeError: `what` is no runner, or an argument is not acceptable.
        """
        made: Job = services.add_to_workflow(self, name, what, after, on_failure_of, kwargs)
        return made

    def add_many(
        self, what: Any, calls: Iterable[Mapping[str, Any]], *, name: str = '', after: Any = (), on_failure_of: Any = ()
    ) -> list[Job]:
        """Add many jobs of one runner, stored as `enqueue_many()` stores them.

        Args:
            what: A runner, or `using(...)` of one.
            calls: The keywords of each job, as those of `add()`.
            name: What their names begin with, before a number; the name of the runner's class if omitted.
            after: See `add()`: what all of them wait for.
            on_failure_of: See `add()`.

        Returns:
            The jobs, in the order of the calls.

        Raises:
            ValueError, TypeError: As `add()`.
        """
        made: list[Job] = services.add_many_to_workflow(self, what, calls, name, after, on_failure_of)
        return made

    def cancel(self, reason: str = '', *, user: Any = None) -> bool:
        """Cancel the members that wait and stop those that run; the workflow ends as canceled when they have ended.

        Args:
            reason: Why; kept as the error of the workflow.
            user: The user who cancels it, for the audit trail.

        Returns:
            Whether this call canceled it; False if it has ended, or is being canceled.
        """
        return services.cancel_workflow(self, reason, user)

    def retry(self, *, deadline: datetime | timedelta | None = None, user: Any = None) -> list[Job]:
        """Continue a workflow that has failed or was canceled: what has not completed, and what comes after it.

        Args:
            deadline: A new deadline; none if omitted.
            user: The user who retries it, for the audit trail.

        Returns:
            The new jobs.

        Raises:
            ValueError: It has not ended, has completed, or a job that would be repeated was deleted.
        """
        made: list[Job] = services.act('retry', self, lambda: services.retry_workflow(self, deadline), user)
        return made

    add.alters_data = add_many.alters_data = True  # type: ignore[attr-defined]
    cancel.alters_data = retry.alters_data = True  # type: ignore[attr-defined]

    def job(self, name: str) -> Job | None:
        """Return the job of the member, or callback, of this name; None if there is none, or it was deleted."""
        using = self._state.db
        member = WorkflowMember.objects.using(using).filter(workflow=self.pk, key=key_of(name)).first()
        return Job.objects.using(using).filter(pk=member.job_id or 0).first() if member is not None else None

    @property
    def counts(self) -> WorkflowCounts:
        """How many members stand where, counted now."""
        return counts_of([self.pk], self._state.db)[self.pk]

    @property
    def ended(self) -> bool:
        """Whether all its members had ended when this object was loaded."""
        return self.status != WorkflowStatusChoices.STATUS_RUNNING

    def get_absolute_url(self) -> str:
        """The workflow's page in the admin; empty in a project without it."""
        try:
            return reverse('admin:netbox_jobs_workflow_change', args=(self.pk,))
        except NoReverseMatch:
            return ''


class WorkflowMember(models.Model):
    """The place of a job in a workflow, which stays when the job is deleted; also that of a callback."""

    workflow = LooseForeignKey(Workflow, related_name='members', null=False, db_index=False)
    #: The hash of the name: MariaDB compares texts without regard to case.
    key = CharField(max_length=64)
    name = CharField(_('name'), max_length=200)
    job = LooseForeignKey(
        Job, related_name='+', db_index=False
    )  # NULL is allowed, so that a join keeps a member without it
    #: Empty for a member; for a callback, which one it is.
    role = CharField(max_length=20, blank=True, default='')
    #: How it has ended, once the workflow knows: a terminal status, 'skipped' or 'deleted'.
    state = CharField(max_length=20, blank=True, default='')
    #: Whether it is a callback of which it is not known yet whether it is needed.
    gated = models.BooleanField(default=False)

    class Meta:
        # The open ones first, which are few: for recovery, and for each end of a member.
        indexes = (models.Index(fields=('state', 'workflow', 'role'), name='netbox_jobs_member_state'),)
        constraints = (
            models.UniqueConstraint(fields=('workflow', 'key'), name='netbox_jobs_member_name'),
            models.UniqueConstraint(fields=('job',), name='netbox_jobs_member_once'),
        )
        verbose_name = _('member of a workflow')
        verbose_name_plural = _('members of workflows')

    def __str__(self) -> str:
        return self.name


def key_of(name: str) -> str:
    """Return the key of a member's name, which is stored as the tables can hold it."""
    return sha256(storable_text(name).encode()).hexdigest()


def counts_of(keys: Iterable[int], using: str | None) -> dict[int, WorkflowCounts]:
    """Return the counts of these workflows, from one query: the row of each job counts until its member is marked."""
    keys = list(keys)
    members = WorkflowMember.objects.using(using).filter(workflow__in=keys, role='')
    found: dict[int, dict[str, int]] = {key: {} for key in keys}
    for key, state, status, number in members.values_list('workflow_id', 'state', 'job__status').annotate(Count('pk')):
        name = state or status or DELETED
        name = 'waiting' if name in JobStatusChoices.WAITING_STATE_CHOICES else name
        found[key][name] = found[key].get(name, 0) + number
    return {key: WorkflowCounts(total=sum(numbers.values()), **numbers) for key, numbers in found.items()}

"""The actions on jobs: cancel, stop, retry, delete; on which jobs, and with which permission."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext, ngettext_lazy

from ..choices import JobStatusChoices
from ..core import formatting
from ..models import Job


@dataclass(frozen=True)
class Action:
    """An action on jobs of some statuses."""

    name: str
    label: Any
    permission: str
    statuses: tuple[str, ...]
    perform: Callable[[Job], Any]
    #: The question that names one job, with its `number` and `name`; and the question that counts several.
    ask_one: Any
    ask_several: Any
    #: The buttons that answer these questions.
    answer_one: Any
    answer_several: Any
    #: What the action does, on the page that asks.
    meaning: Any
    #: What it did, to how many jobs.
    done: Any
    #: Whether it destroys something, so that the job's page asks first.
    destructive: bool = False

    def fits(self, job: Job) -> bool:
        """Whether the job's status allows the action."""
        return job.status in self.statuses

    def allowed(self, request: HttpRequest, model_admin: Any, job: Job | None = None) -> bool:
        """Whether the user may do it (to this job)."""
        if not model_admin.has_view_permission(request, job):
            return False
        if self.permission == 'delete':
            return bool(model_admin.has_delete_permission(request, job))
        user: Any = request.user
        return bool(user.has_perm(f'netbox_jobs.{self.permission}'))

    def question(self, jobs: list[Job]) -> str:
        """Return the question before the action: 'Stop job 12 "Sync Berlin"?', 'Delete 3 jobs?'."""
        if len(jobs) == 1:
            name = formatting.cut(jobs[0].name, 100) or formatting.class_name(jobs[0].runner)
            return str(self.ask_one % {'number': jobs[0].pk, 'name': name})
        return str(self.ask_several % {'count': len(jobs)})

    def answer(self, jobs: list[Job]) -> str:
        """Return the text of the button that confirms the action: 'Stop job 12', 'Delete 3 jobs'."""
        if len(jobs) == 1:
            return str(self.answer_one % {'number': jobs[0].pk})
        return str(self.answer_several % {'count': len(jobs)})

    def done_text(self, count: int) -> str:
        """Return that it was done to so many jobs."""
        return str(self.done % {'count': count})


def _delete(job: Job) -> bool:
    job.delete()
    return True


CANCEL = Action(
    name='cancel',
    label=_('Cancel'),
    permission='cancel_job',
    statuses=JobStatusChoices.WAITING_STATE_CHOICES,
    perform=lambda job: job.cancel(),
    ask_one=_('Cancel job %(number)s "%(name)s"?'),
    ask_several=ngettext_lazy('Cancel %(count)d job?', 'Cancel %(count)d jobs?', 'count'),
    answer_one=_('Cancel job %(number)s'),
    answer_several=ngettext_lazy('Cancel %(count)d job', 'Cancel %(count)d jobs', 'count'),
    meaning=_('A waiting job ends as canceled and never runs. A schedule skips this occurrence and continues.'),
    done=ngettext_lazy('%(count)d job was canceled.', '%(count)d jobs were canceled.', 'count'),
)
STOP = Action(
    name='stop',
    label=_('Stop'),
    permission='cancel_job',
    statuses=(JobStatusChoices.STATUS_RUNNING,),
    perform=lambda job: job.stop(),
    ask_one=_('Stop job %(number)s "%(name)s"?'),
    ask_several=ngettext_lazy('Stop %(count)d job?', 'Stop %(count)d jobs?', 'count'),
    answer_one=_('Stop job %(number)s'),
    answer_several=ngettext_lazy('Stop %(count)d job', 'Stop %(count)d jobs', 'count'),
    meaning=_(
        'The worker ends a running job with all processes that it started; the job ends as canceled. What it has '
        'changed so far stays.'
    ),
    done=ngettext_lazy('%(count)d job is being stopped.', '%(count)d jobs are being stopped.', 'count'),
    destructive=True,
)
RETRY = Action(
    name='retry',
    label=_('Retry'),
    permission='retry_job',
    statuses=JobStatusChoices.TERMINAL_STATE_CHOICES,
    perform=lambda job: job.retry(),
    ask_one=_('Retry job %(number)s "%(name)s"?'),
    ask_several=ngettext_lazy('Retry %(count)d job?', 'Retry %(count)d jobs?', 'count'),
    answer_one=_('Retry job %(number)s'),
    answer_several=ngettext_lazy('Retry %(count)d job', 'Retry %(count)d jobs', 'count'),
    meaning=_('Retrying enqueues a new job with the same arguments. The old job stays as it is.'),
    done=ngettext_lazy('%(count)d job was enqueued again.', '%(count)d jobs were enqueued again.', 'count'),
)
DELETE = Action(
    name='delete',
    label=_('Delete'),
    permission='delete',
    statuses=tuple(JobStatusChoices.values()),
    perform=_delete,
    ask_one=_('Delete job %(number)s "%(name)s"?'),
    ask_several=ngettext_lazy('Delete %(count)d job?', 'Delete %(count)d jobs?', 'count'),
    answer_one=_('Delete job %(number)s'),
    answer_several=ngettext_lazy('Delete %(count)d job', 'Delete %(count)d jobs', 'count'),
    meaning=_('Deleting removes a job and its log for good. A waiting job never runs; a running job is stopped first.'),
    done=ngettext_lazy('%(count)d job was deleted.', '%(count)d jobs were deleted.', 'count'),
    destructive=True,
)
ACTIONS = {action.name: action for action in (CANCEL, STOP, RETRY, DELETE)}


@dataclass(frozen=True)
class Effect:
    """What an action would do to several jobs, by status."""

    action: Action
    affected: dict[str, int]
    unaffected: dict[str, int]
    schedules: int

    @property
    def count(self) -> int:
        """How many jobs it would affect."""
        return sum(self.affected.values())

    @property
    def unaffected_count(self) -> int:
        """How many jobs it would not affect."""
        return sum(self.unaffected.values())

    @property
    def warning(self) -> str:
        """A warning that schedules would end, if any would."""
        if self.action is not DELETE or not self.schedules:
            return ''
        text = ngettext(
            '%(count)d of the jobs is periodic and has not ended: its schedule ends, and no occurrence follows.',
            '%(count)d of the jobs are periodic and have not ended: their schedules end, and no occurrences follow.',
            self.schedules,
        )
        return text % {'count': self.schedules}


def effect(action: Action, jobs: list[Job]) -> Effect:
    """Return what an action would do to these jobs."""
    affected: dict[str, int] = {}
    unaffected: dict[str, int] = {}
    for job in jobs:
        counts = affected if action.fits(job) else unaffected
        counts[job.status] = counts.get(job.status, 0) + 1
    order = JobStatusChoices.values()
    return Effect(
        action,
        dict(sorted(affected.items(), key=lambda item: order.index(item[0]))),
        dict(sorted(unaffected.items(), key=lambda item: order.index(item[0]))),
        sum(job.schedule_id is not None and not job.ended for job in jobs),
    )

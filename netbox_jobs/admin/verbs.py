"""What people do to jobs from here: cancel, stop, retry, delete; to which jobs, with which permission."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext, ngettext_lazy

from ..choices import JobStatusChoices
from ..models import Job


@dataclass(frozen=True)
class Verb:
    """One thing that is done to jobs of some statuses."""

    name: str
    label: Any
    permission: str
    statuses: tuple[str, ...]
    perform: Callable[[Job], Any]
    #: What it means, for whoever is asked to confirm it.
    meaning: Any
    #: '%(count)d jobs were ...'
    done: Any
    asks: bool = False  # whether it destroys something, so that the job's page asks first

    def fits(self, job: Job) -> bool:
        """Whether it can be done to a job as it is now."""
        return job.status in self.statuses

    def allowed(self, request: HttpRequest, model_admin: Any, job: Job | None = None) -> bool:
        """Whether the user may do it (to this job)."""
        if not model_admin.has_view_permission(request, job):
            return False
        if self.permission == 'delete':
            return bool(model_admin.has_delete_permission(request, job))
        user: Any = request.user
        return bool(user.has_perm(f'netbox_jobs.{self.permission}'))

    def done_text(self, count: int) -> str:
        """That it was done to so many jobs."""
        return str(self.done % {'count': count})


def _delete(job: Job) -> bool:
    job.delete()
    return True


CANCEL = Verb(
    'cancel',
    _('Cancel'),
    'cancel_job',
    JobStatusChoices.WAITING_STATE_CHOICES,
    lambda job: job.cancel(),
    _('What waits ends as canceled and never runs. A periodic job skips this occurrence; the next one comes.'),
    ngettext_lazy('%(count)d job was canceled.', '%(count)d jobs were canceled.', 'count'),
)
STOP = Verb(
    'stop',
    _('Stop'),
    'cancel_job',
    (JobStatusChoices.STATUS_RUNNING,),
    lambda job: job.stop(),
    _(
        'What runs is ended, with all the processes that it has started, and is then canceled. What it has done so '
        'far stays.'
    ),
    ngettext_lazy('%(count)d job is being stopped.', '%(count)d jobs are being stopped.', 'count'),
    asks=True,
)  # fmt: skip
RETRY = Verb(
    'retry',
    _('Retry'),
    'retry_job',
    JobStatusChoices.TERMINAL_STATE_CHOICES,
    lambda job: job.retry(),
    _('A new job with the same arguments is enqueued for each; the old ones stay as they are.'),
    ngettext_lazy('%(count)d job was enqueued again.', '%(count)d jobs were enqueued again.', 'count'),
)
DELETE = Verb(
    'delete',
    _('Delete'),
    'delete',
    tuple(JobStatusChoices.values()),
    _delete,
    _('The jobs and their logs are gone for good. What waits never runs, what runs is stopped.'),
    ngettext_lazy('%(count)d job was deleted.', '%(count)d jobs were deleted.', 'count'),
    asks=True,
)
VERBS = {verb.name: verb for verb in (CANCEL, STOP, RETRY, DELETE)}


@dataclass(frozen=True)
class Effect:
    """What a verb would do to several jobs."""

    verb: Verb
    touched: dict[str, int]
    left: dict[str, int]
    schedules: int

    @property
    def count(self) -> int:
        """How many jobs it would touch."""
        return sum(self.touched.values())

    @property
    def left_count(self) -> int:
        """How many it would leave alone."""
        return sum(self.left.values())

    @property
    def warning(self) -> str:
        """That schedules would end, if any would."""
        if self.verb is not DELETE or not self.schedules:
            return ''
        text = ngettext(
            '%(count)d of them is periodic and has not ended: its schedule ends, and nothing follows.',
            '%(count)d of them are periodic and have not ended: their schedules end, and nothing follows.',
            self.schedules,
        )
        return text % {'count': self.schedules}


def effect(verb: Verb, jobs: list[Job]) -> Effect:
    """What a verb would do to these jobs."""
    touched: dict[str, int] = {}
    left: dict[str, int] = {}
    for job in jobs:
        counts = touched if verb.fits(job) else left
        counts[job.status] = counts.get(job.status, 0) + 1
    order = JobStatusChoices.values()
    return Effect(
        verb,
        dict(sorted(touched.items(), key=lambda item: order.index(item[0]))),
        dict(sorted(left.items(), key=lambda item: order.index(item[0]))),
        sum(job.schedule_id is not None and not job.ended for job in jobs),
    )

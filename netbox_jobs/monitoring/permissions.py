"""What a user may do with a job, by Django's permissions; a job's own user may see and cancel it without any.

Users who may not see a job may do nothing with it, and get the same answer as for a job that does not exist. Django
keeps a user's permissions with the user object, so a page with many jobs costs no more queries than a page with few.
"""

from typing import Any

from ..models import Job
from ..models.querysets import JobQuerySet

VIEW, CANCEL, RETRY, DELETE = (f'netbox_jobs.{action}_job' for action in ('view', 'cancel', 'retry', 'delete'))
#: To see the stack of a running job.
INSPECT = 'netbox_jobs.inspect_job'
#: To send a signal to a job, which may be the approval that it waits for.
SIGNAL = 'netbox_jobs.signal_job'
#: To enqueue jobs through the REST API.
ENQUEUE = 'netbox_jobs.add_job'
VIEW_SCHEDULES, MANAGE_SCHEDULES = 'netbox_jobs.view_schedule', 'netbox_jobs.manage_schedule'
VIEW_WORKFLOWS, CANCEL_WORKFLOWS, RETRY_WORKFLOWS = (
    f'netbox_jobs.{action}_workflow' for action in ('view', 'cancel', 'retry')
)
CHANGE_LIMITS = 'netbox_jobs.change_queuelimit'
VIEW_WORKERS, PAUSE_QUEUES = 'netbox_jobs.view_worker', 'netbox_jobs.pause_queue'


def visible_jobs(user: Any, jobs: JobQuerySet | None = None) -> JobQuerySet:
    """Return the jobs that the user may see, of `jobs` or of all."""
    found = Job.objects.all() if jobs is None else jobs
    if user.has_perm(VIEW):
        return found
    return found.filter(user_id=user.pk) if _is_logged_in(user) else found.none()


def may_view(user: Any, job: Job) -> bool:
    """Whether the user may see the job, its log, and that it exists."""
    return bool(user.has_perm(VIEW)) or _is_own(user, job)


def may_see_arguments(user: Any) -> bool:
    """Whether the user may see the arguments of jobs, and search them: a job's own user may not, for that alone."""
    return bool(user.has_perm(VIEW))


def may_inspect(user: Any, job: Job) -> bool:
    """Whether the user may see the stack of the job while it runs."""
    return bool(user.has_perm(INSPECT)) and may_view(user, job)


def may_cancel(user: Any, job: Job) -> bool:
    """Whether the user may cancel the job while it waits, and stop it while it runs."""
    return _is_own(user, job) or bool(user.has_perm(CANCEL) and may_view(user, job))


def may_signal(user: Any, job: Job) -> bool:
    """Whether the user may send signals to the job. (Its own user may not, for that alone: it may ask for approval.)"""
    return bool(user.has_perm(SIGNAL)) and may_view(user, job)


def may_retry(user: Any, job: Job) -> bool:
    """Whether the user may retry the job when it has ended."""
    return bool(user.has_perm(RETRY)) and may_view(user, job)


def may_delete(user: Any, job: Job) -> bool:
    """Whether the user may delete the job."""
    return bool(user.has_perm(DELETE)) and may_view(user, job)


def may_view_schedules(user: Any) -> bool:
    """Whether the user may see schedules: who may manage them may see them, too."""
    return bool(user.has_perm(VIEW_SCHEDULES) or user.has_perm(MANAGE_SCHEDULES))


def _is_logged_in(user: Any) -> bool:
    return bool(user.is_authenticated and user.is_active)


def _is_own(user: Any, job: Job) -> bool:
    # A job without a user does not belong to an anonymous visitor, who has no key either.
    return _is_logged_in(user) and job.user_id is not None and job.user_id == user.pk

"""Who may do what with a job: Django's permissions; and its own user, who may see and cancel it.

Who may not see a job may do nothing with it, and is told the same as if there were none. Users are asked once: Django
remembers a user's permissions for as long as it holds the object, so a page with many jobs costs no more than one
with few.
"""

from typing import Any

from .models import Job
from .models.querysets import JobQuerySet

VIEW, CANCEL, RETRY, DELETE = (f'netbox_jobs.{action}_job' for action in ('view', 'cancel', 'retry', 'delete'))


def visible_jobs(user: Any, jobs: JobQuerySet | None = None) -> JobQuerySet:
    """Those of `jobs` (all, if omitted) that the user may see."""
    found = Job.objects.all() if jobs is None else jobs
    if user.has_perm(VIEW):
        return found
    return found.filter(user_id=user.pk) if _is_somebody(user) else found.none()


def may_view(user: Any, job: Job) -> bool:
    """Whether the user may see the job, its log, and that it exists."""
    return bool(user.has_perm(VIEW)) or _is_own(user, job)


def may_cancel(user: Any, job: Job) -> bool:
    """Whether the user may cancel the job while it waits, and stop it while it runs."""
    return _is_own(user, job) or bool(user.has_perm(CANCEL) and may_view(user, job))


def may_retry(user: Any, job: Job) -> bool:
    """Whether the user may have the job run once more when it has ended."""
    return bool(user.has_perm(RETRY)) and may_view(user, job)


def may_delete(user: Any, job: Job) -> bool:
    """Whether the user may delete the job."""
    return bool(user.has_perm(DELETE)) and may_view(user, job)


def _is_somebody(user: Any) -> bool:
    return bool(user.is_authenticated and user.is_active)


def _is_own(user: Any, job: Job) -> bool:
    # Nobody's jobs do not belong to visitors who are not logged in: neither has a key.
    return _is_somebody(user) and job.user_id is not None and job.user_id == user.pk

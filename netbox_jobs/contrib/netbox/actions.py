"""What pages of plugins do with jobs: they list those that a user may see, and stop one."""

from typing import Any

from django.core.exceptions import ValidationError
from django.http import Http404

from ...models import Job
from ...models.querysets import JobManager, JobQuerySet
from ...permissions import visible_jobs

__all__ = ('stop_rq_job',)


def stop_rq_job(job_id: str) -> list[str]:
    """Stop the job with this `job_id`: see `Job.stop()`. Return the id in a list, which is empty if the job has ended.

    Raises:
        Http404: There is no such job.
    """
    try:
        return [job_id] if Job.objects.get(job_id=job_id).stop() else []
    except (Job.DoesNotExist, ValidationError):
        raise Http404(f'There is no job {job_id}.') from None


def restrict(jobs: Any, user: Any, action: str = 'view') -> Any:
    """Return the jobs with which the user may do something.

    Args:
        jobs: The manager or the queryset.
        user: The user. Without the permission `view_job` they see their own jobs alone.
        action: `view`, or the beginning of another permission of Django's for jobs, such as `delete`.
    """
    visible = visible_jobs(user, jobs.all())
    return visible if action == 'view' or user.has_perm(f'netbox_jobs.{action}_job') else visible.none()


def install() -> None:
    """Give managers and querysets of jobs the method `restrict()`."""
    kinds: tuple[Any, ...] = (JobManager, JobQuerySet)
    for kind in kinds:
        kind.restrict = restrict

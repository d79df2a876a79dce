"""Which jobs a new job waits for: `depends_on`, `after` and `on_failure_of` of a call."""

from typing import Any
from uuid import UUID

from ..core import options
from ..models import Job, database
from .rq_options import ids_of_jobs

#: The options that name jobs of ours alone.
OPTIONS = ('after', 'on_failure_of')


def split(job_ids: list[UUID]) -> tuple[list[UUID], list[str]]:
    """Return the `job_id`s of jobs of ours, and those that only RQ knows."""
    if not job_ids:
        return [], []
    known = _known(job_ids)
    return [job_id for job_id in job_ids if job_id in known], [str(each) for each in job_ids if each not in known]


def taken(option: str, given: dict[str, Any], func: Any, kind: Any) -> list[UUID]:
    """Take `after` or `on_failure_of` out of a call, unless that is the name of an argument of `run()`.

    Args:
        option: Which of the two.
        given: The keywords of the call.
        func: What is called.
        kind: Its runner, if it has one.

    Returns:
        The `job_id`s of the jobs that it names.

    Raises:
        ValueError: It names something other than a job of ours.
    """
    if option not in given or is_argument(option, func, kind):
        return []
    value = given.pop(option)
    if value is None:
        return []
    job_ids = ids_of_jobs(option, value)
    known = _known(job_ids)
    if unknown := [job_id for job_id in job_ids if job_id not in known]:
        raise ValueError(f'{option} names the job {unknown[0]}, which does not exist.')
    return job_ids


def is_argument(option: str, func: Any, kind: Any) -> bool:
    """Return whether an option is the name of an argument of `run()`."""
    return option in options.named_parameters(func if kind is None else kind.run)


def _known(job_ids: list[UUID]) -> set[UUID]:
    return set(Job.objects.using(database()).filter(job_id__in=job_ids).values_list('job_id', flat=True))

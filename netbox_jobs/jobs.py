"""`JobRunner`: what the code of a background job is subclassed from."""

from collections.abc import Callable
from typing import Any, TypeVar

from django.core.exceptions import ImproperlyConfigured

from .choices import JobStatusChoices
from .context import current_job
from .core import recurrence
from .core.limits import Limit
from .core.options import EnqueueOptions
from .core.rates import Rate
from .core.registry import system_jobs
from .core.unique import Debounce, Throttle, Unique
from .exceptions import JobFailed
from .execution.runner import JobRunner
from .models import Job

# Job, JobFailed and JobStatusChoices are found here as well, where plugins look for them.
__all__ = (
    'Debounce',
    'EnqueueOptions',
    'Job',
    'JobFailed',
    'JobRunner',
    'JobStatusChoices',
    'Limit',
    'Rate',
    'Throttle',
    'Unique',
    'current_job',
    'system_job',
)

R = TypeVar('R', bound='type[JobRunner]')


def system_job(
    interval: int | None = None, *, cron: str | None = None, timezone: str | None = None
) -> Callable[[R], R]:
    """Class decorator: keep this runner scheduled, beginning when a worker starts.

    Args:
        interval: Minutes between runs; or
        cron: five fields, with
        timezone: the name of their time zone; the project's if omitted.

    Raises:
        ImproperlyConfigured: There is neither a whole number of minutes from 1 nor a cron expression, or both; or
            what is decorated is no runner.
    """
    if callable(interval):
        raise ImproperlyConfigured('@system_job needs an interval in minutes, or cron: @system_job(interval=60).')
    recurrence.check_registered(interval, cron, timezone)
    when: dict[str, Any] = {'interval': interval} if cron is None else {'cron': cron, 'timezone': timezone}

    def register(cls: R) -> R:
        if not getattr(cls, 'is_job_runner', False):
            raise ImproperlyConfigured(f'@system_job decorates {cls!r}; expected a subclass of JobRunner.')
        system_jobs[cls] = {**system_jobs.get(cls, {}), **when}
        return cls

    return register

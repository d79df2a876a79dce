"""The settings of the framework: the keys of `NETBOX_JOBS` with their defaults, read at each use."""

from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

#: The version of NetBox's job API that is reproduced; plugins' `min_version`/`max_version` are compared with it.
API_VERSION = '4.7.0'

#: Days for which ended jobs are kept, unless the project sets `JOB_RETENTION`.
DEFAULT_RETENTION = 90

DEFAULTS: dict[str, Any] = {
    # 'pickle' stores whatever pickle accepts; 'json' refuses everything that JSON (with dates, decimals, UUIDs,
    # sets, tuples and saved model instances) cannot say.
    'ARGUMENTS_FORMAT': 'pickle',
    # Largest encoded arguments of one job, in bytes.
    'ARGUMENTS_MAX_SIZE': 1024 * 1024,
    # Seconds without a heartbeat after which a worker is declared dead.
    'WORKER_TIMEOUT': 60,
    # Seconds that a job waits for a worker that can import its runner (a rolling deploy) before it is errored.
    'RUNNER_GRACE': 600,
    # Seconds for which an `enqueue()` may wait for Redis: to connect, and for each answer.
    'REDIS_TIMEOUT': 0.25,
    # How many jobs a child of the fast worker runs before another takes its place.
    'JOBS_PER_CHILD': 1000,
    # Whether a worker imports the module of a runner itself once a child of it has had to, for the next ones.
    'PRELOAD_RUNNERS': True,
    # Dotted path of a function that is called with each job that has ended, as its `notifications` ask for.
    'NOTIFY': '',
}


def get(name: str) -> Any:
    """Return the setting `name` of `NETBOX_JOBS`, or its default.

    Raises:
        ImproperlyConfigured: `NETBOX_JOBS` is no dictionary, or holds a key that does not exist.
    """
    configured = getattr(settings, 'NETBOX_JOBS', {})
    if not isinstance(configured, dict):
        raise ImproperlyConfigured(f'NETBOX_JOBS is {configured!r}; expected a dictionary.')
    if unknown := configured.keys() - DEFAULTS.keys():
        raise ImproperlyConfigured(
            f'NETBOX_JOBS has the unknown key(s) {", ".join(sorted(unknown))}; known are {", ".join(sorted(DEFAULTS))}.'
        )
    return configured.get(name, DEFAULTS[name])


def retention() -> int:
    """`JOB_RETENTION`: days for which ended jobs are kept (90 by default); 0 keeps them all.

    Raises:
        ImproperlyConfigured: It is no whole number of days.
    """
    days = getattr(settings, 'JOB_RETENTION', DEFAULT_RETENTION)
    if isinstance(days, bool) or not isinstance(days, int) or days < 0:
        raise ImproperlyConfigured(
            f'JOB_RETENTION is {days!r}; expected a whole number of days, or 0 to keep all jobs.'
        )
    return days

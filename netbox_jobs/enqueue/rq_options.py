"""RQ's options of a call, checked and in the form in which rows keep them."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import Model
from rq import Callback
from rq.exceptions import TimeoutFormatError
from rq.job import Dependency
from rq.job import Job as RQJob
from rq.utils import parse_timeout

from ..core.import_path import path_of
from ..core.text import storable_data, storable_text

_TTLS = ('failure_ttl', 'result_ttl', 'ttl')
_CALLBACKS = ('on_failure', 'on_stopped', 'on_success')


def check_rq_options(given: dict[str, Any]) -> tuple[dict[str, Any], int | None, list[UUID]]:
    """Split RQ's options into what the row keeps as JSON, the time limit in seconds, and the ids of jobs to wait for.

    Raises:
        ValueError: A value is not acceptable.
    """
    options = {key: value for key, value in given.items() if value is not None}
    timeout = seconds('job_timeout', options.pop('job_timeout', None))
    for key in _TTLS:
        if key in options:
            options[key] = seconds(key, options[key], least=1 if key == 'ttl' else 0)
    for key in _CALLBACKS:
        if key in options:
            options[key] = _callback(key, options[key])
    if not isinstance(options.get('meta', {}), dict):
        raise ValueError(f'meta is {options["meta"]!r}; expected a dictionary.')
    if 'meta' in options:
        options['meta'] = storable_data(options['meta'], 'meta')
    options['at_front'] = bool(options.get('at_front', False))
    if 'description' in options:
        options['description'] = storable_text(str(options['description']))
    dependencies: list[UUID] = []
    if 'depends_on' in options:
        dependencies, theirs, allow_failure = _dependencies(options.pop('depends_on'))
        if theirs:
            options['depends_on'] = theirs
        if allow_failure:
            options['allow_failure'] = True
    return {key: value for key, value in options.items() if value is not False}, timeout, dependencies


def seconds(name: str, value: Any, least: int = 1) -> int | None:
    """Return a length of time as whole seconds; None for None.

    Args:
        name: The option, for the message.
        value: A number, a text such as '10m', or -1 for no limit.
        least: The smallest number that is acceptable.

    Raises:
        ValueError: It is neither.
    """
    if value is None:
        return None
    try:
        number = None if isinstance(value, bool) else parse_timeout(value)
    except (TimeoutFormatError, TypeError, AssertionError, ValueError, OverflowError):
        number = None
    if number is None or (number < least and number != -1) or (isinstance(value, float) and value != number):
        raise ValueError(f"{name} is {value!r}; expected whole seconds, a text such as '10m', or -1 for no limit.")
    if number > 2_147_483_647:
        raise ValueError(f'{name} is {value!r}; at most 2147483647 seconds can be stored.')
    return number


def _callback(name: str, value: Any) -> dict[str, Any]:
    callback = value if isinstance(value, Callback) else Callback(value)
    path = callback.func if isinstance(callback.func, str) else path_of(callback.func)
    if '<' in path or path.startswith('__main__.'):
        raise ValueError(
            f'{name} is {path}, which a worker cannot import; use a function at the top level of a module.'
        )
    return {'path': path, 'timeout': callback.timeout}


def _dependencies(value: Any) -> tuple[list[UUID], list[str], bool]:
    """Sort what `depends_on` accepts into candidates for rows of ours (by `job_id`), and ids of RQ alone."""
    ours: list[UUID] = []
    theirs: list[str] = []
    allow_failure = False
    items = list(value) if isinstance(value, Iterable) and not isinstance(value, str) else [value]
    for item in items:
        if isinstance(item, Dependency):
            more_ours, more_theirs, _ = _dependencies(list(item.dependencies))
            ours += more_ours
            theirs += more_theirs
            allow_failure = allow_failure or item.allow_failure
        elif isinstance(item, Model) and isinstance(job_id := getattr(item, 'job_id', None), UUID):
            ours.append(job_id)
        elif isinstance(item, UUID):
            ours.append(item)
        elif isinstance(item, RQJob | str):
            name = item.id if isinstance(item, RQJob) else item
            try:
                ours.append(UUID(name))
            except ValueError:
                theirs.append(name)
        else:
            raise ValueError(f'depends_on contains {item!r}; expected jobs, ids of jobs, or a list of them.')
    return ours, theirs, allow_failure


def ids_of_jobs(option: str, value: Any) -> list[UUID]:
    """Return the `job_id`s of jobs of ours: of one, or of several.

    Args:
        option: The option, for the message.
        value: A job, its `job_id`, or an iterable of these.

    Raises:
        ValueError: There is something else among them.
    """
    found: list[UUID] = []
    for item in value if isinstance(value, Iterable) and not isinstance(value, str) else [value]:
        job_id = item if isinstance(item, UUID) else getattr(item, 'job_id', None)
        if not isinstance(job_id, UUID):
            raise ValueError(f'{option} contains {item!r}; expected a job, its job_id, or a list of them.')
        found.append(job_id)
    return found

"""The options of a runner: what its `Meta` says, checked when the class is made."""

import difflib
import inspect
import logging
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from ..exceptions import RunnerNotFound
from . import import_path, limits, options, order, rates, retries, unique

#: How often a job whose process died is run again, if its runner has `on_crash = 'retry'` and no `max_crashes`.
DEFAULT_MAX_CRASHES = 3
#: What `Meta` of a runner may say. It may have attributes of its own as well.
META = frozenset((
    'api', 'concurrency', 'debounce', 'encrypted', 'fair_by', 'job_timeout', 'limit', 'log_level', 'max_crashes',
    'max_retries', 'name', 'on_crash', 'priority', 'queue', 'rate', 'retry_backoff', 'retry_on', 'sensitive',
    'stop_grace', 'throttle', 'unique', 'version',
))  # fmt: skip
# The type and the largest value of each.
_NUMBERS: dict[str, tuple[Any, int]] = {'max_crashes': (int, 10_000), 'stop_grace': (int | float, 7 * 86_400)}
#: Seconds that a coroutine has to end when its task was cancelled, if its runner has no `stop_grace`.
COROUTINE_GRACE = 5.0


def check(runner: type[Any]) -> None:
    """Check the `Meta` of a runner.

    Raises:
        ImproperlyConfigured: One of its values is not acceptable.
    """
    meta = runner.Meta
    try:
        retries.check(*(getattr(meta, option, None) for option in retries.OPTIONS))
        on_crash = getattr(meta, 'on_crash', 'error')
        if on_crash not in ('error', 'retry'):
            raise ValueError(f"on_crash is {on_crash!r}; expected 'error' or 'retry'.")
        if not isinstance(_level(getattr(meta, 'log_level', None)), int):
            raise ValueError(f"log_level is {meta.log_level!r}; expected a level of logging, such as 'INFO'.")
        if not isinstance(getattr(meta, 'encrypted', False), bool):
            raise ValueError(f'encrypted is {meta.encrypted!r}; expected True or False.')
        if not isinstance(getattr(meta, 'api', False), bool):
            raise ValueError(f'api is {meta.api!r}; expected True or False.')
        version = getattr(meta, 'version', '')
        if isinstance(version, bool) or not isinstance(version, int | str) or len(str(version)) > 50:
            raise ValueError(f'version is {version!r}; expected a whole number, or a text of at most 50 characters.')
        run = getattr(runner, 'run', runner)
        limit = limits.of_meta(meta, run)
        rate = rates.of_meta(meta, run)
        order.of_meta(meta, run)
        _check_sensitive(meta, run, {each.key for each in (limit, rate) if each is not None})
        unique.of_meta(meta, run)
        for name in ('max_crashes', 'stop_grace'):
            value = getattr(meta, name, 0)
            kind, most = _NUMBERS[name]
            if isinstance(value, bool) or not isinstance(value, kind) or not 0 <= value <= most:
                what = 'whole number' if kind is int else 'number of seconds'
                raise ValueError(f'{name} is {value!r}; expected a {what} from 0 to {most:,}.')
    except ValueError as error:
        raise ImproperlyConfigured(f'{import_path.path_of(runner)}.Meta: {error}') from None


def mistaken(runner: type[Any]) -> list[str]:
    """Return what looks like a mistake in the `Meta` of a runner, and would have no effect."""
    found = []
    for name in sorted({name for name in dir(runner.Meta) if not name.startswith('_')} - META):
        near = ['queue'] if name == 'queue_name' else difflib.get_close_matches(name, sorted(META), 1, 0.75)
        if near:
            found.append(f'{name!r} is no option of Meta. Did you mean {near[0]!r}?')
        elif name in options.OPTIONS:
            found.append(f'{name!r} is no option of Meta. Pass it to enqueue().')
    return found


def _check_sensitive(meta: Any, run: Any, keys: set[Any]) -> None:
    names = getattr(meta, 'sensitive', ())
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"sensitive is {names!r}; expected the names of arguments of run(), such as ('token',).")
    for name in names:
        if inspect.isfunction(run) and list(options.untaken(run, {name: None}, unbound=True)):
            raise ValueError(f'sensitive names {name!r}, which run() does not take.')
        if name in keys:
            raise ValueError(
                f'sensitive names {name!r}, which is the key of its limit or rate: pages show the values of keys.'
            )


def sensitive(runner: Any) -> frozenset[str]:
    """Return the names of the arguments of a runner whose values are shown nowhere."""
    return frozenset(getattr(getattr(runner, 'Meta', None), 'sensitive', ()))


def is_in_api(runner: Any) -> bool:
    """Return whether jobs of a runner can be enqueued through the REST API."""
    return bool(getattr(getattr(runner, 'Meta', None), 'api', False))


def version(runner: Any) -> str:
    """Return the version of a runner's steps; empty if it names none."""
    return str(getattr(getattr(runner, 'Meta', None), 'version', ''))


def kept_level(runner: Any) -> int:
    """Return the least level of the lines that the logs of a runner's jobs keep."""
    return _level(getattr(getattr(runner, 'Meta', None), 'log_level', None)) or logging.NOTSET


def log_level(path: str) -> int:
    """Return `kept_level()` of the runner of this path."""
    return _level(getattr(meta_of(path), 'log_level', None)) or logging.NOTSET


def _level(value: Any) -> Any:
    """Return a level as a number; None if there is no such level."""
    if value is None:
        return logging.NOTSET
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return logging.getLevelNamesMapping().get(value) if isinstance(value, str) else None


def meta_of(path: str) -> Any:
    """Return the `Meta` of the runner of this path; None for a function, and if there is no such code."""
    try:
        return getattr(import_path.resolve(path), 'Meta', None)
    except RunnerNotFound:
        return None


def time_limit(runner: type[Any]) -> tuple[str, Any]:
    """Return where a runner sets its time limit, for messages, and the limit; None if it sets none.

    `Meta.job_timeout`, or as newer NetBox plugins write it, a class attribute or a property `job_timeout`. A property
    is read from an object without a job; one that needs the job sets no limit.
    """
    meta = getattr(getattr(runner, 'Meta', None), 'job_timeout', None)
    if meta is not None:
        return 'Meta.job_timeout', meta
    found = getattr(runner, 'job_timeout', None)
    if hasattr(found, '__get__') and inspect.getattr_static(runner, 'job_timeout') is found:
        try:  # a property, which the class itself does not evaluate
            found = object.__new__(runner).job_timeout
        except AttributeError:
            return 'job_timeout', None
    return 'job_timeout', found


def crash_limit(path: str) -> int:
    """Return how often a job of this runner is run again after its process has died; 0 unless the runner asks."""
    meta = meta_of(path)
    if getattr(meta, 'on_crash', 'error') != 'retry':
        return 0
    return int(getattr(meta, 'max_crashes', DEFAULT_MAX_CRASHES))


def stop_grace(job: Any) -> float:
    """Return the seconds between the request to stop a job and the end of its process."""
    try:
        runner = import_path.resolve_of(job)
    except RunnerNotFound:
        return 0.0
    coroutine = inspect.iscoroutinefunction(getattr(runner, 'run', runner))
    return float(getattr(getattr(runner, 'Meta', None), 'stop_grace', COROUTINE_GRACE if coroutine else 0))

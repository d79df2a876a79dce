"""What a runner's `Meta` may say, checked when the class is made, and read where it matters."""

import inspect
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from ..exceptions import RunnerNotFound
from . import import_path, retries

#: How many times a runner with `on_crash = 'retry'` is run again if it says no `max_crashes`.
DEFAULT_MAX_CRASHES = 3
#: Seconds that a coroutine has to end when its task was cancelled, if its runner says no `stop_grace`.
COROUTINE_GRACE = 5.0


def check(runner: type[Any]) -> None:
    """Raise `ImproperlyConfigured` if the runner's `Meta` says something that it cannot mean."""
    meta = runner.Meta
    try:
        retries.check(*(getattr(meta, option, None) for option in retries.OPTIONS))
        on_crash = getattr(meta, 'on_crash', 'error')
        if on_crash not in ('error', 'retry'):
            raise ValueError(f"on_crash is {on_crash!r}; expected 'error' or 'retry'.")
        for name in ('max_crashes', 'stop_grace'):
            value = getattr(meta, name, 0)
            if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
                raise ValueError(f'{name} is {value!r}; expected a number from 0.')
    except ValueError as error:
        raise ImproperlyConfigured(f'{import_path.path_of(runner)}.Meta: {error}') from None


def of(path: str) -> Any:
    """The `Meta` of the runner of this path; None for a function, and where there is no such code."""
    try:
        return getattr(import_path.resolve(path), 'Meta', None)
    except RunnerNotFound:
        return None


def crash_limit(path: str) -> int:
    """How many times a runner wants a job to be run again after its process has died; 0 unless it asks."""
    meta = of(path)
    if getattr(meta, 'on_crash', 'error') != 'retry':
        return 0
    return int(getattr(meta, 'max_crashes', DEFAULT_MAX_CRASHES))


def stop_grace(path: str) -> float:
    """Seconds between the request to stop a job of this runner and the end of its process."""
    try:
        runner = import_path.resolve(path)
    except RunnerNotFound:
        return 0.0
    coroutine = inspect.iscoroutinefunction(getattr(runner, 'run', runner))
    return float(getattr(getattr(runner, 'Meta', None), 'stop_grace', COROUTINE_GRACE if coroutine else 0))

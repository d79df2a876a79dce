"""Retries: whether a failed attempt is followed by another one, and when."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.backoff import FullJitterBackoff

from ..exceptions import JobFailed
from .import_path import path_of

#: Seconds on which the exponential backoff is based, unless the runner or the call says otherwise.
DEFAULT_BACKOFF = 10.0
#: Seconds that no backoff exceeds.
LONGEST_BACKOFF = 3600.0

#: The options of a call, and of a runner's `Meta`, that say how a job is retried.
OPTIONS = ('max_retries', 'retry_backoff', 'retry_on')

_YEAR = 366 * 86_400.0

Backoff = float | Sequence[float]


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a job is retried, after how long, and after which exceptions."""

    max_retries: int = 0
    backoff: Backoff = DEFAULT_BACKOFF
    on: tuple[type[BaseException], ...] = (Exception,)

    def covers(self, error: BaseException, retries: int) -> bool:
        """Return whether a job that has been retried `retries` times is retried after this error.

        `JobFailed` is an expected failure, which another attempt would only repeat: it must be named.
        """
        if retries >= self.max_retries:
            return False
        kinds = [kind for kind in self.on if isinstance(error, kind)]
        if isinstance(error, JobFailed):
            return any(issubclass(kind, JobFailed) for kind in kinds)
        return bool(kinds)

    def delay(self, retries: int) -> float:
        """Return the seconds until the next attempt, after `retries` retries.

        From a list, the number in this place (or its last); else exponential with full jitter.
        """
        if isinstance(self.backoff, int | float):
            return float(FullJitterBackoff(cap=LONGEST_BACKOFF, base=self.backoff).compute(min(retries, 60)))
        return float(self.backoff[min(retries, len(self.backoff) - 1)])


def check(max_retries: Any = None, backoff: Any = None, on: Any = None) -> dict[str, Any]:
    """Return the options as arguments for a `RetryPolicy`.

    Raises:
        ValueError: A value is not acceptable.
    """
    given: dict[str, Any] = {}
    if max_retries is not None:
        if isinstance(max_retries, bool) or not isinstance(max_retries, int) or not 0 <= max_retries <= 10_000:
            raise ValueError(f'max_retries is {max_retries!r}; expected a whole number from 0 to 10000.')
        given['max_retries'] = max_retries
    if backoff is not None:
        steps = [backoff] if isinstance(backoff, int | float) else backoff
        if (
            not isinstance(steps, list | tuple)
            or not steps
            or any(
                isinstance(step, bool) or not isinstance(step, int | float) or not 0 <= step <= _YEAR for step in steps
            )
        ):
            raise ValueError(
                f'retry_backoff is {backoff!r}; expected seconds (a year of them at most), or a list of them.'
            )
        given['backoff'] = backoff if isinstance(backoff, int | float) else list(backoff)
    if on is not None:
        kinds = (on,) if isinstance(on, type) else on
        if not isinstance(kinds, list | tuple) or not all(
            isinstance(kind, type) and issubclass(kind, BaseException) for kind in kinds
        ):
            raise ValueError(f'retry_on is {on!r}; expected an exception class, or a list of them.')
        given['on'] = tuple(kinds)
    return given


def stored(checked: dict[str, Any]) -> dict[str, Any]:
    """Return how to retry, as the row keeps it: exception classes by their paths."""
    if 'on' not in checked:
        return checked
    paths = [path_of(kind) for kind in checked['on']]
    for path in paths:
        if '<' in path or path.startswith('__main__.'):
            raise ValueError(f'retry_on names {path}, which a worker cannot import; define it in a module.')
    return {**checked, 'on': paths}

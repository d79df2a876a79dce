"""Limits: how many jobs of a runner, of a key, or of a queue run at once. Without a row and without Redis."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from django.db.models import Model

from ..exceptions import RunnerNotFound
from . import conf, import_path, options
from .conf import is_size
from .text import storable_text

#: The longest name of a limit; a longer one is cut, and ends with a hash of all of it.
LONGEST_NAME = 255
#: The columns of a job that say which limit, rate and turn it has by its runner and its arguments.
COLUMNS = ('limit', 'limit_most', 'rate', 'rate_most', 'rate_per', 'fair_key')


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many jobs run at once; or, with `per`, how many begin within any so many milliseconds."""

    most: int
    per: int | None = None


@dataclass(frozen=True, slots=True)
class Limit:
    """How many jobs run at once, over all workers: `limit = Limit(3, key='tenant')` in the `Meta` of a runner."""

    #: So many at most.
    most: int
    #: The name of an argument of `run()`, or a function that is called with the arguments: each value counts alone.
    key: str | Callable[..., Any] | None = None
    #: Runners whose limits have the same name share one; the path of the runner if empty.
    name: str = ''

    def __post_init__(self) -> None:
        if not is_size(self.most):
            raise ValueError(f'The limit is {self.most!r}; expected a whole number from 1 to {conf.MOST_AT_ONCE:,}.')
        check_key('limit', self.key, self.name)

    def name_for(self, runner: str, run: Callable[..., Any], arguments: Mapping[str, Any]) -> str:
        """Return the name under which a job with these arguments counts.

        Args:
            runner: The path of the runner.
            run: Its `run()`, whose defaults stand for what the arguments omit.
            arguments: The arguments of `run()`.
        """
        return name_of(self.name or runner, self.key, run, arguments)


def check_key(what: str, key: Any, name: Any) -> None:
    """Check the key and the name of a limit.

    Args:
        what: What it is called in messages.
        key: Its key.
        name: Its name.

    Raises:
        ValueError: One is not acceptable.
    """
    if not (key is None or callable(key) or (isinstance(key, str) and key)):
        raise ValueError(f'The key of the {what} is {key!r}; expected the name of an argument or a function.')
    if not isinstance(name, str):
        raise ValueError(f'The name of the {what} is {name!r}; expected a text.')


def name_of(
    name: str, key: str | Callable[..., Any] | None, run: Callable[..., Any], arguments: Mapping[str, Any]
) -> str:
    """Return a name with the value that a key has for these arguments; a long one is cut."""
    if key is not None:
        arguments = {**options.defaults_of(run), **arguments}
        value = arguments.get(key) if isinstance(key, str) else key(**arguments)
        name = f'{name} {key if isinstance(key, str) else "key"}={text_of(value)}'
    return cut(name)


def cut(name: str) -> str:
    """Return a name of a limit as it is stored."""
    name = storable_text(name)
    return name if len(name) <= LONGEST_NAME else f'{name[: LONGEST_NAME - 18]}… {digest(name)[:16]}'


def digest(name: str) -> str:
    """Return the identity of a limit. (MariaDB compares texts without regard to case.)"""
    return sha256(name.encode('utf-8', 'backslashreplace')).hexdigest()


def of_meta(meta: Any, run: Callable[..., Any]) -> Limit | None:
    """Return the limit that the `Meta` of a runner sets.

    Args:
        meta: The `Meta`.
        run: The `run()` of the runner, which takes the argument that is the key.

    Raises:
        ValueError: It sets one that is not acceptable, or two.
    """
    most, limit = getattr(meta, 'concurrency', None), getattr(meta, 'limit', None)
    if most is not None and limit is not None:
        raise ValueError('concurrency and limit exclude each other; use limit = Limit(3, key=...).')
    if most is not None:
        return Limit(most)
    if limit is None:
        return None
    if not isinstance(limit, Limit):
        raise ValueError(f'limit is {limit!r}; expected a Limit, such as Limit(3).')
    if isinstance(limit.key, str) and options.untaken(run, (limit.key,)):
        raise ValueError(f'the key of limit is {limit.key!r}, which is no argument of run().')
    return limit


def of_runner(job: Any, default: int) -> int | None:
    """Return how many jobs of a limited runner may run at once, as the code of this process says.

    Args:
        job: A job of the runner.
        default: What the job's row says, for a process that does not have the code.

    Returns:
        The number; None if the runner is limited no more.
    """
    try:
        runner = import_path.resolve_of(job)
    except RunnerNotFound:
        return default
    limit = of_meta(getattr(runner, 'Meta', None), getattr(runner, 'run', runner))
    return None if limit is None else limit.most


def of_queue(name: str) -> int | None:
    """Return how many jobs of a queue may run at once (`NETBOX_JOBS['QUEUES']`); None if the queue has no limit."""
    configured = conf.get('QUEUES')
    return configured.get(name, {}).get('concurrency') if configured else None


def queue_limit_name(name: str) -> str:
    """Return the name of the limit of a queue."""
    return f'queue {name}'


def text_of(value: Any) -> str:
    """Return the value of a key as it stands in names."""
    if isinstance(value, Model):
        return f'{value._meta.label_lower} {value.pk}'
    return str(value)

"""Rates: how many jobs of a runner or of a key begin within a time, and how often `run()` calls an API."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from ..exceptions import RunnerNotFound
from . import conf, import_path, limits, options
from .limits import Allowance

#: The names of rates begin with it, so that they are no names of limits.
PREFIX = 'rate '


@dataclass(frozen=True, slots=True)
class Rate:
    """How many jobs begin within a time, over all workers: `rate = Rate(100, per=60)` in the `Meta` of a runner.

    The window slides: in no span of `per` seconds do more than `most` jobs begin.
    """

    #: So many at most,
    most: int
    #: within so many seconds.
    per: float
    #: The name of an argument of `run()`, or a function that is called with the arguments: each value counts alone.
    key: str | Callable[..., Any] | None = None
    #: Runners whose rates have the same name share one; the path of the runner if empty.
    name: str = ''

    def __post_init__(self) -> None:
        if not conf.is_count(self.most):
            raise ValueError(f'The rate is {self.most!r}; expected a whole number from 1.')
        if not conf.is_period(self.per):
            raise ValueError(f'per is {self.per!r}; expected a number of seconds from 0.01 to {conf.LONGEST_PERIOD:,}.')
        limits.check_key('rate', self.key, self.name)

    @property
    def allowance(self) -> Allowance:
        """What it allows."""
        return Allowance(self.most, ceil(self.per * 1000))

    def name_for(self, runner: str, run: Callable[..., Any], arguments: Mapping[str, Any]) -> str:
        """Return the name under which a job with these arguments counts; see `Limit.name_for()`."""
        return limits.name_of(PREFIX + (self.name or runner), self.key, run, arguments)


def of_meta(meta: Any, run: Callable[..., Any]) -> Rate | None:
    """Return the rate that the `Meta` of a runner sets.

    Args:
        meta: The `Meta`.
        run: The `run()` of the runner, which takes the argument that is the key.

    Raises:
        ValueError: It sets one that is not acceptable.
    """
    rate = getattr(meta, 'rate', None)
    if rate is None:
        return None
    if not isinstance(rate, Rate):
        raise ValueError(f'rate is {rate!r}; expected a Rate, such as Rate(100, per=60).')
    if isinstance(rate.key, str) and options.untaken(run, (rate.key,)):
        raise ValueError(f'the key of rate is {rate.key!r}, which is no argument of run().')
    return rate


def of_runner(job: Any, default: Allowance) -> Allowance | None:
    """Return what the rate of a runner allows, as the code of this process says.

    Args:
        job: A job of the runner.
        default: What its row says, for a process that does not have the code.

    Returns:
        What it allows; None if the runner has no rate any more.
    """
    try:
        runner = import_path.resolve_of(job)
    except RunnerNotFound:
        return default
    rate = of_meta(getattr(runner, 'Meta', None), getattr(runner, 'run', runner))
    return None if rate is None else rate.allowance


def configured(name: str) -> Allowance:
    """Return what a rate of `NETBOX_JOBS['RATES']` allows.

    Raises:
        ImproperlyConfigured: There is none of this name.
    """
    known = conf.get('RATES')
    if name not in known:
        listed = ', '.join(sorted(map(repr, known))) or 'none'
        raise ImproperlyConfigured(
            f"There is no rate {name!r}; NETBOX_JOBS['RATES'] has {listed}. Add {name!r}: {{'most': 100, 'per': 60}}."
        )
    return Allowance(known[name]['most'], ceil(known[name]['per'] * 1000))


def configured_name(name: str, key: Any = None) -> str:
    """Return the name under which a rate of the settings counts for a key.

    Args:
        name: Its name in the settings.
        key: Each value counts alone.
    """
    # The space before the name: no runner's rate has a name like this one.
    return limits.cut(f'{PREFIX} {name}' if key is None else f'{PREFIX} {name} key={limits.text_of(key)}')

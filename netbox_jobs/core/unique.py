"""Unique jobs: by what two jobs of a runner count as the same, and for how long. Without a row."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from types import SimpleNamespace
from typing import Any, Literal, TypeAlias

from . import arguments, options

#: What jobs may be compared by, besides single arguments ('arguments.page').
_PARTS = ('arguments', 'instance')
_STATES = ('waiting', 'running')
_ANSWERS = ('return', 'replace', 'raise')
_ARGUMENT = 'arguments.'
#: So that a moment can be stored that is so much later.
_LONGEST = timedelta(days=36_500)


@dataclass(frozen=True, slots=True)
class Unique:
    """Have `enqueue()` store no second job that is the same: `unique = Unique()` in the `Meta` of a runner."""

    #: What has to be the same: 'arguments', 'instance', or single arguments, as 'arguments.page'.
    by: tuple[str, ...] = _PARTS
    #: As long as the first one is 'waiting', 'running', or both.
    while_: tuple[str, ...] = _STATES
    #: And within so much time after the first one was enqueued, whatever has become of it.
    within: timedelta | None = None
    #: What the call does then: return the first job, replace it if it waits, or raise `JobExists`.
    on_conflict: Literal['return', 'replace', 'raise'] = 'return'

    def __post_init__(self) -> None:
        _check_by(self.by)
        if not isinstance(self.while_, tuple) or not set(self.while_) <= set(_STATES):
            raise ValueError(f"while_ is {self.while_!r}; expected a tuple of 'waiting' and 'running'.")
        if self.within is not None:
            _check_time('within', self.within)
        if not self.while_ and self.within is None:
            raise ValueError('while_ is empty; expected a state, or a time as within.')
        if self.on_conflict not in _ANSWERS:
            raise ValueError(f'on_conflict is {self.on_conflict!r}; expected one of {", ".join(_ANSWERS)}.')


@dataclass(frozen=True, slots=True)
class Throttle:
    """Have `enqueue()` store one job in so much time: `throttle = Throttle(timedelta(minutes=5))` in `Meta`.

    The other calls return that job, whatever has become of it.
    """

    #: Within so much time after the first call.
    time: timedelta
    #: What has to be the same; see `Unique`.
    by: tuple[str, ...] = _PARTS

    def __post_init__(self) -> None:
        _check_time('time', self.time)
        _check_by(self.by)


@dataclass(frozen=True, slots=True)
class Debounce:
    """Have the last call of several run alone: `debounce = Debounce(timedelta(seconds=5))` in the `Meta` of a runner.

    A call stores a job that is due after `time`. A call before that replaces its arguments, and puts it off anew.
    """

    #: How long no call comes before the job runs.
    time: timedelta
    #: How long after the first call it runs at the latest; as long as calls come, if omitted.
    at_most: timedelta | None = None
    #: What has to be the same; see `Unique`.
    by: tuple[str, ...] = ('instance',)

    def __post_init__(self) -> None:
        _check_time('time', self.time)
        if self.at_most is not None:
            _check_time('at_most', self.at_most)
            if self.at_most < self.time:
                raise ValueError(f'at_most is {self.at_most}; expected at least the time, {self.time}.')
        _check_by(self.by)


#: Those that a call may name.
CALL_OPTIONS = ('debounce', 'throttle')
#: What makes jobs of a runner count as the same.
Sameness: TypeAlias = Unique | Debounce


def key(by: tuple[str, ...], about: str, run: Callable[..., Any], given: Mapping[str, Any]) -> str:
    """Return what is the same for jobs that are the same, as a hash.

    Args:
        by: What counts; see `Unique`.
        about: The runner, and the instance if it counts.
        run: Its `run()`, whose defaults stand for what the arguments omit.
        given: The arguments.
    """
    known = {**options.defaults_of(run), **given}
    if 'arguments' not in by:
        names = [part.removeprefix(_ARGUMENT) for part in by if part.startswith(_ARGUMENT)]
        known = {name: known.get(name) for name in names}
    return sha256(about.encode() + b'\0' + arguments.identity(known)).hexdigest()


def _check_by(by: object) -> None:
    if not isinstance(by, tuple) or not all(
        part in _PARTS or (isinstance(part, str) and part.startswith(_ARGUMENT)) for part in by
    ):
        raise ValueError(f"by is {by!r}; expected a tuple of 'arguments', 'instance' and 'arguments.NAME'.")


def _check_time(name: str, value: object) -> None:
    if not isinstance(value, timedelta) or not timedelta() < value <= _LONGEST:
        raise ValueError(f'{name} is {value!r}; expected a timedelta of at most {_LONGEST.days} days.')


def of_call(given: Mapping[str, Any], run: Callable[..., Any]) -> Sameness | None:
    """Return what `debounce` or `throttle` of a call say; see `of_meta()`.

    Raises:
        ValueError: It is not acceptable.
    """
    return of_meta(SimpleNamespace(**given), run)


def of_meta(meta: Any, run: Callable[..., Any]) -> Sameness | None:
    """Return what the `Meta` of a runner says of jobs that are the same.

    Raises:
        ValueError: It is not acceptable.
    """
    given = {name: value for name in _OPTIONS if (value := getattr(meta, name, None)) is not None}
    if not given:
        return None
    if len(given) > 1:
        raise ValueError(f'{" and ".join(given)} exclude each other; give one of them.')
    ((name, found),) = given.items()
    if not isinstance(found, _OPTIONS[name]):
        kind = _OPTIONS[name].__name__
        raise ValueError(f'{name} is {found!r}; expected a {kind}, such as {_EXAMPLES[name]}.')
    named = [part.removeprefix(_ARGUMENT) for part in found.by if part.startswith(_ARGUMENT)]
    for argument in options.untaken(run, named):
        raise ValueError(f'{name} is by {argument!r}, which is no argument of run().')
    return Unique(found.by, (), found.time) if isinstance(found, Throttle) else found


_OPTIONS: dict[str, type[Any]] = {'unique': Unique, 'throttle': Throttle, 'debounce': Debounce}
_EXAMPLES = {
    'unique': 'Unique()',
    'throttle': 'Throttle(timedelta(minutes=5))',
    'debounce': 'Debounce(timedelta(seconds=5))',
}

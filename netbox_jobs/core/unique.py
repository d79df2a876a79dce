"""Unique jobs: by what two jobs of a runner count as the same, and for how long. Without a row."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any, Literal

from . import arguments, options

#: What jobs may be compared by, besides single arguments ('arguments.page').
_PARTS = ('arguments', 'instance')
_STATES = ('waiting', 'running')
_ANSWERS = ('return', 'replace', 'raise')
_ARGUMENT = 'arguments.'


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
        if not isinstance(self.by, tuple) or not all(
            part in _PARTS or (isinstance(part, str) and part.startswith(_ARGUMENT)) for part in self.by
        ):
            raise ValueError(f"by is {self.by!r}; expected a tuple of 'arguments', 'instance' and 'arguments.NAME'.")
        if not isinstance(self.while_, tuple) or not set(self.while_) <= set(_STATES):
            raise ValueError(f"while_ is {self.while_!r}; expected a tuple of 'waiting' and 'running'.")
        if self.within is not None and (not isinstance(self.within, timedelta) or self.within <= timedelta()):
            raise ValueError(f'within is {self.within!r}; expected a timedelta, or None.')
        if not self.while_ and self.within is None:
            raise ValueError('while_ is empty; expected a state, or a time as within.')
        if self.on_conflict not in _ANSWERS:
            raise ValueError(f'on_conflict is {self.on_conflict!r}; expected one of {", ".join(_ANSWERS)}.')

    def key(self, about: str, run: Callable[..., Any], given: Mapping[str, Any]) -> str:
        """Return what is the same for jobs that are the same, as a hash.

        Args:
            about: The runner, and the instance if it counts.
            run: Its `run()`, whose defaults stand for what the arguments omit.
            given: The arguments.
        """
        known = {**options.defaults_of(run), **given}
        if 'arguments' not in self.by:
            names = [part.removeprefix(_ARGUMENT) for part in self.by if part.startswith(_ARGUMENT)]
            known = {name: known.get(name) for name in names}
        return sha256(about.encode() + b'\0' + arguments.identity(known)).hexdigest()


def of_meta(meta: Any, run: Callable[..., Any]) -> Unique | None:
    """Return what the `Meta` of a runner says of unique jobs.

    Raises:
        ValueError: It is not acceptable.
    """
    unique = getattr(meta, 'unique', None)
    if unique is None:
        return None
    if not isinstance(unique, Unique):
        raise ValueError(f'unique is {unique!r}; expected a Unique, such as Unique().')
    named = [part.removeprefix(_ARGUMENT) for part in unique.by if part.startswith(_ARGUMENT)]
    for name in options.untaken(run, named):
        raise ValueError(f'unique is by {name!r}, which is no argument of run().')
    return unique

"""The options of a call of `enqueue()`: everything that is not an argument of `run()`."""

import difflib
import inspect
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from enum import Enum
from functools import lru_cache
from typing import Any, TypedDict

from django.db.models import Model

from ..exceptions import UnsupportedOption

#: The options of RQ that a call may carry; they are stored on the row and handed to RQ with each delivery.
RQ_OPTIONS = (
    'at_front', 'depends_on', 'description', 'failure_ttl', 'job_timeout', 'meta', 'on_failure', 'on_stopped',
    'on_success', 'result_ttl', 'ttl',
)  # fmt: skip
#: RQ's options that are refused, with the reason.
REFUSED = {
    'job_id': 'the row has its own job_id, made with it',
    'pipeline': 'jobs are handed to RQ after the transaction commits, when a pipeline would be gone',
    'repeat': 'use interval= for a periodic job',
    'retry': 'a job that RQ runs again without its row could not be accounted for; use max_retries=',
    'unique': 'use enqueue_once()',
}


class Unchanged(Enum):
    """The default of an option that `enqueue_once()` leaves as it is if it is omitted."""

    UNCHANGED = 'unchanged'


UNCHANGED = Unchanged.UNCHANGED


class EnqueueOptions(TypedDict, total=False):
    """The options of `enqueue()`, `enqueue_once()` and `using()`, with their types."""

    #: The object that the job is about.
    instance: Model | None
    #: The name for people, at most 200 characters.
    name: str
    #: The user that the job is done for.
    user: Any
    #: When to run it; aware with `USE_TZ`.
    schedule_at: datetime | None
    #: Minutes between occurrences.
    interval: int | None
    #: Run it in this process, before returning.
    immediate: bool
    queue_name: str | None
    #: The priority within its queue, from 0 to 9; more is sooner, and 5 is that of jobs that name none.
    priority: int | None
    #: When to notify the user: 'always', 'on_failure' or 'never'.
    notifications: str | None
    #: A cron expression of five fields instead of `interval`, and the name of its time zone.
    cron: str | None
    timezone: str | None
    #: How often, after how many seconds, and after which exceptions a failed attempt is retried.
    max_retries: int | None
    retry_backoff: float | Sequence[float] | None
    retry_on: type[BaseException] | Sequence[type[BaseException]] | None
    #: The time limit of `run()`: seconds, a text such as '10m', or -1 for none.
    job_timeout: int | str | None
    #: Jobs, or ids of jobs, that must have completed first.
    depends_on: Any
    #: Jobs of ours that must have completed first; and jobs of which one must have failed or errored.
    after: Any
    on_failure_of: Any
    #: Which calls count as the same for this one: instead of what `Meta` says. (`Debounce`, `Throttle`.)
    debounce: Any
    throttle: Any
    #: RQ's options.
    at_front: bool
    ttl: int | str | None
    result_ttl: int | str | None
    failure_ttl: int | str | None
    meta: Mapping[str, Any] | None
    description: str | None
    on_success: Any
    on_failure: Any
    on_stopped: Any


#: How `inspect.signature()` reads annotations. From Python 3.14 on, it evaluates them otherwise, and fails on a name
#: that is imported for type checkers alone.
_ANNOTATIONS: dict[str, Any] = {}
if sys.version_info >= (3, 14):
    from annotationlib import Format

    _ANNOTATIONS['annotation_format'] = Format.FORWARDREF

#: The names of all options.
OPTIONS = frozenset(EnqueueOptions.__annotations__)


class RunArguments(dict[str, Any]):
    """Arguments of `run()` that have the names of options, on their way through a runner's `enqueue()`."""


#: The keyword that carries them.
RUN_ARGUMENTS = 'run_arguments'


def as_keywords(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments of `run()` as keywords of `enqueue()`; those that are named like options are packed into one."""
    named_otherwise = OPTIONS | REFUSED.keys() | {RUN_ARGUMENTS}
    clashing = {name: value for name, value in arguments.items() if name in named_otherwise}
    if not clashing:
        return dict(arguments)
    others = {name: value for name, value in arguments.items() if name not in clashing}
    return {**others, RUN_ARGUMENTS: RunArguments(clashing)}


def take_run_arguments(given: dict[str, Any]) -> RunArguments:
    """Take the arguments that `as_keywords()` has packed out of the keywords of a call."""
    if isinstance(given.get(RUN_ARGUMENTS), RunArguments):
        packed: RunArguments = given.pop(RUN_ARGUMENTS)
        return packed
    return RunArguments()


def check_arguments(call: str, run: Callable[..., Any], given: Collection[str]) -> None:
    """Check that `run()` takes the arguments of a call, so that a misspelt option does not become one of them.

    Args:
        call: What was called, for the message.
        run: The unbound `run()` of the runner.
        given: The names of the keywords that are no options.

    Raises:
        TypeError: It does not take one; the message names the nearest option or argument.
    """
    for name in untaken(run, given):
        if name in OPTIONS:  # only `timezone` comes here: alone, it would be an argument of `run()`
            raise TypeError(
                f"{call} got the option {name!r} without 'cron', and run() does not take it. Pass cron as well."
            )
        hint = _nearest(name, _parameters(run)[1:])
        raise TypeError(
            f'{call} got an unexpected keyword {name!r}: it is no option, and run() does not take it.{hint}'
        )


def check_complete(call: str, run: Callable[..., Any], given: Collection[str]) -> None:
    """Check that a call has all arguments that `run()` requires: a worker could not call it otherwise.

    Args:
        call: What was called, for the message.
        run: The unbound `run()` of the runner.
        given: The names of the arguments.

    Raises:
        TypeError: One is missing; the message names all that are.
    """
    missing = [repr(name) for name in _required_of(run) if name not in given]
    if missing:
        several = 's' if len(missing) > 1 else ''
        raise TypeError(f'{call} lacks the argument{several} {", ".join(missing)}, for which run() has no default.')


@lru_cache(maxsize=1024)
def _required_of(run: Callable[..., Any]) -> tuple[str, ...]:
    """Return the names of the arguments without a default, apart from `self`.

    Not those of a function that a decorator has wrapped: it may pass arguments of its own.
    """
    try:
        parameters = list(inspect.signature(run, follow_wrapped=False, **_ANNOTATIONS).parameters.values())[1:]
    except (TypeError, ValueError):  # a callable without a signature
        return ()
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    empty = inspect.Parameter.empty
    return tuple(each.name for each in parameters if each.kind in by_name and each.default is empty)


def untaken(function: Callable[..., Any], given: Collection[str], *, unbound: bool = True) -> list[str]:
    """Return the names of the keywords that a function does not take.

    Args:
        function: The function.
        given: The keywords.
        unbound: Whether its first parameter is `self`.
    """
    taken = _parameters(function)
    if '**' in taken:
        return []
    return [name for name in given if name not in taken[1 if unbound else 0 :]]


def parameters_of(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """Return the parameters of a function; names in annotations need not exist at run time."""
    return list(inspect.signature(function, **_ANNOTATIONS).parameters.values())


def named_parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    """Return the names of the parameters that a function names itself."""
    return _parameters(function)


def _parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    """Return the names of the parameters in their order; '' for one that has no name for callers, '**' for the rest."""
    try:
        return _parameters_of(function)
    except TypeError:  # it cannot be hashed
        return _parameters_of.__wrapped__(function)


@lru_cache(maxsize=1024)
def _parameters_of(function: Callable[..., Any]) -> tuple[str, ...]:
    try:
        parameters = parameters_of(function)
    except (TypeError, ValueError):  # a callable without a signature
        return ('**',)
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    names = [parameter.name if parameter.kind in by_name else '' for parameter in parameters]
    takes_all = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters)
    return (*names, '**') if takes_all else tuple(names)


@lru_cache(maxsize=1024)
def defaults_of(function: Callable[..., Any]) -> Mapping[str, Any]:
    """Return the parameters of a function that have defaults, with these."""
    parameters = parameters_of(function)
    return {each.name: each.default for each in parameters if each.default is not inspect.Parameter.empty}


def refusal(name: str) -> UnsupportedOption:
    """Return the exception for an option of RQ's that is refused."""
    return UnsupportedOption(f"RQ's option {name!r} is not accepted: {REFUSED[name]}.")


def check_options(call: str, given: Collection[str]) -> None:
    """Check the names of options.

    Raises:
        TypeError: There is no such option; the message names the nearest one.
        UnsupportedOption: It is an option of RQ's that is refused; the message says why.
    """
    for name in given:
        if name in REFUSED:
            raise refusal(name)
        if name not in OPTIONS:
            close = difflib.get_close_matches(name, sorted(OPTIONS), 1)
            hint = f' Did you mean {close[0]!r}?' if close else f' The options are {", ".join(sorted(OPTIONS))}.'
            raise TypeError(f'{call} got an unknown option {name!r}.{hint}')


def _nearest(name: str, arguments: Collection[str]) -> str:
    arguments = [argument for argument in arguments if argument]
    close = difflib.get_close_matches(name, [*sorted(arguments), *sorted(OPTIONS)], 1)
    if close:
        kind = 'argument' if close[0] in arguments else 'option'
        return f' Did you mean the {kind} {close[0]!r}?'
    if arguments:
        return f' It takes {", ".join(sorted(arguments))}.'
    return ' It takes no arguments.'

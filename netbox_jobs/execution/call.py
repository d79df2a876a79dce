"""Calls the function or the `handle()` of a job with its arguments."""

import inspect
from collections.abc import Callable
from typing import Any

from ..core import import_path, options
from ..exceptions import ArgumentsUnknown


def check_taken(target: Any, kwargs: dict[str, Any]) -> None:
    """Check that the code of this process takes the arguments of a job: newer code may have enqueued it.

    What a runner that overrides `handle()` takes is not known.

    Raises:
        ArgumentsUnknown: It does not take one.
    """
    runner = getattr(target, 'is_job_runner', False)
    if runner and target.overrides('handle'):
        return
    for name in options.untaken(target.run if runner else target, kwargs, unbound=runner):
        raise ArgumentsUnknown(
            f'{import_path.path_of(target)} does not take the argument {name!r} in the code of this process.'
        )


def call(target: Callable[..., Any], job: Any, kwargs: dict[str, Any]) -> Any:
    """Call what a job runs: with its job under that name, as NetBox does, or else as the first argument."""
    # (Not by its signature, which would evaluate annotations.)
    code = getattr(getattr(target, '__func__', target), '__code__', None)
    if code is None:
        return target(job, **kwargs)
    bound = int(hasattr(target, '__self__'))
    names = code.co_varnames[bound : code.co_argcount + code.co_kwonlyargcount]
    named = 'job' in names[max(code.co_posonlyargcount - bound, 0) :]
    takes_first = code.co_argcount > bound
    if named or (code.co_flags & inspect.CO_VARKEYWORDS and not takes_first):
        return target(job=job, **kwargs)
    return target(job, **kwargs)


def arguments_of(job: Any) -> dict[str, Any]:
    """Return the arguments of a job before its code is imported: for a row without our signature, nothing is.

    Raises:
        ArgumentsRefused: It has none.
        InstanceGone: An object among them no longer exists.
        RunnerNotFound: The code of the job is missing, or that of a class among them.
    """
    try:
        found: dict[str, Any] = job.get_arguments()
    except ArgumentsUnknown:
        import_path.resolve(job.runner)  # if it is missing too, that is what to say
        raise
    return found

"""Calls the function or the `handle()` of a job with its arguments."""

import inspect
from collections.abc import Callable
from typing import Any


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

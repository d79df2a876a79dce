"""What surrounds each call that enqueues, and each run: the objects of `NETBOX_JOBS['MIDDLEWARE']`.

Where the setting is empty, callers skip this module.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from asgiref.sync import async_to_sync, sync_to_async
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from . import conf
from .text import described

_METHODS = ('around_enqueue', 'around_run')


@dataclass(slots=True)
class EnqueueCall:
    """A call that enqueues, for middleware."""

    #: The dotted path of the runner or the function.
    runner: str
    #: The keywords of each job, options and arguments. Middleware may change them before it calls `proceed()`.
    calls: list[dict[str, Any]]
    #: The jobs, once `proceed()` has returned.
    jobs: list[Any] = field(default_factory=list)


def configured() -> tuple[Any, ...]:
    """Return the middleware of the project, the outermost first.

    Raises:
        ImproperlyConfigured: A path cannot be imported or called, or what it makes is no middleware.
    """
    return _load(tuple(conf.get('MIDDLEWARE')))


@lru_cache(maxsize=8)
def _load(paths: tuple[str, ...]) -> tuple[Any, ...]:
    found = []
    for path in paths:
        try:
            made = import_string(path)()
        except Exception as error:
            raise ImproperlyConfigured(
                f"NETBOX_JOBS['MIDDLEWARE'] names {path!r}, which cannot be used: {described(error)}. Expected the "
                'path of a class, or of a function, that takes no arguments.'
            ) from error
        if not any(callable(getattr(made, method, None)) for method in _METHODS):
            raise ImproperlyConfigured(
                f"NETBOX_JOBS['MIDDLEWARE'] names {path!r}, which makes no middleware: expected an object with "
                'around_enqueue(call, proceed) or around_run(job, proceed).'
            )
        found.append(made)
    return tuple(found)


def around_enqueue(call: EnqueueCall, proceed: Callable[[], list[Any]]) -> list[Any]:
    """Enqueue within the middleware; return the jobs."""

    def enqueue() -> None:
        call.jobs = proceed()

    _surround('around_enqueue', call, enqueue)
    return call.jobs


def around_run(job: Any, proceed: Callable[[], None]) -> None:
    """Run within the middleware."""
    _surround('around_run', job, proceed)


def _surround(method: str, subject: Any, proceed: Callable[[], None]) -> None:
    for middleware in reversed(configured()):
        if (around := getattr(middleware, method, None)) is not None:
            proceed = _layer(around, subject, proceed)
    proceed()


def _layer(around: Callable[..., Any], subject: Any, proceed: Callable[[], None]) -> Callable[[], None]:
    def layer() -> None:
        called = 0

        def once() -> None:
            nonlocal called
            called += 1
            if called > 1:
                raise RuntimeError(f'{_named(around)} has called proceed() twice; call it once.')
            proceed()

        if inspect.iscoroutinefunction(around):
            # In this thread again: that is where its database connection and its time limit are.
            async_to_sync(around)(subject, sync_to_async(once, thread_sensitive=True))
        elif inspect.iscoroutine(returned := around(subject, once)):
            returned.close()
            raise RuntimeError(f'{_named(around)} returns a coroutine; make it a coroutine function (async def).')
        if not called:
            raise RuntimeError(f'{_named(around)} has not called proceed(), or not awaited it; call it once, or raise.')

    return layer


def _named(around: Any) -> str:
    return f'{around.__module__}.{around.__qualname__}()' if hasattr(around, '__qualname__') else repr(around)

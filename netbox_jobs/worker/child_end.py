"""The end of a child process in order, so that nothing is lost that a job has registered or buffered.

Only what this process itself has registered counts: a child that ran the exit handlers of its parent would remove the
parent's temporary folders and PID file.
"""

import atexit
import logging
import logging.handlers
import os
import sys
import weakref
from collections.abc import Iterator
from typing import Any, NoReturn

from django.db import connections

logger = logging.getLogger('netbox_jobs')

#: Seconds that a child has for its end; its parent kills it then.
PATIENCE = 5.0
# Where the parts of OpenTelemetry, if something has imported it, have their providers.
_PROVIDERS = (
    ('opentelemetry.trace', 'get_tracer_provider'),
    ('opentelemetry.metrics', 'get_meter_provider'),
    ('opentelemetry._logs', 'get_logger_provider'),
)
# Those of the parent, which registers their exit handlers.
_inherited: list[Any] = []


def begin() -> None:
    """In a new child: forget what is for the parent to do at its end."""
    atexit._clear()
    # Those of `tempfile` and the like, which run at the exit of the process that has made them. They register the exit
    # handler that does it once, and it is gone from here.
    finalize: Any = weakref.finalize
    for finalizer in list(finalize._registry):
        finalizer.atexit = False
    finalize._registered_with_atexit = False
    _inherited[:] = _providers()
    for reference in logging._handlerList:  # type: ignore[attr-defined]
        if isinstance(handler := reference(), logging.handlers.BufferingHandler):
            handler.buffer.clear()


def flush_output() -> None:
    """Write what is buffered of the standard output and error; before a fork, so that the child does not write it."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:  # there is none, no process reads it, or it is closed
            pass


def end(code: int = 0) -> NoReturn:
    """End this process in order."""
    steps = (atexit._run_exitfuncs, _end_multiprocessing, connections.close_all, logging.shutdown, _end_telemetry)
    for step in (*steps, flush_output):
        try:
            step()
        except BaseException as error:
            logger.error('At the end of a child process, %s failed (%r).', step.__qualname__, error)
    os._exit(code)


def _end_multiprocessing() -> None:
    """Do what `multiprocessing` does at an exit, by a handler of the parent; processes that still run are killed."""
    if (util := sys.modules.get('multiprocessing.util')) is not None:
        util._run_finalizers()


def _end_telemetry() -> None:
    """Have OpenTelemetry and Sentry send what they hold, if they are there. (Handlers of logging may lead to them.)"""
    for provider in _inherited:
        provider.shutdown()
    if (sentry := sys.modules.get('sentry_sdk')) is not None:
        sentry.flush(timeout=PATIENCE / 2)


def _providers() -> Iterator[Any]:
    for module, getter in _PROVIDERS:
        if module in sys.modules:
            provider = getattr(sys.modules[module], getter)()
            if hasattr(provider, 'shutdown'):
                yield provider

"""The signatures of `enqueue()` and `enqueue_once()`, as type checkers and `help()` show them.

Both take `*args` and `**kwargs`, so that plugins can override them with that and pass on what they like.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar

from django.db.models import Model

from .options import UNCHANGED, Unchanged

P = ParamSpec('P')
R = TypeVar('R')

#: What `help()` says of the options, below what it says of the method.
OPTIONS_HELP = """\
Options:
    instance: The model object that the job is about. One that is not saved yet is bound when it is saved.
    name: For people, at most 200 characters; the runner's if omitted.
    user: The user that the job is done for, who may see it and is notified.
    schedule_at: A datetime, when to run it (aware with `USE_TZ`); now if omitted.
    interval: Minutes between occurrences, 1 or more. The next one is made when one has ended, however it ended.
    cron, timezone: Instead of `interval`: five fields, and the name of their time zone; the project's if omitted.
    immediate: Run it in this process before returning; meant for commands and tests. Not for `enqueue_once()`.
    queue_name: A queue of `RQ_QUEUES` or of a plugin; `Meta.queue`, or `default`, if omitted.
    priority: Within its queue, from 0 to 9, where more is sooner; `Meta.priority`, or 5, if omitted.
    notifications: When to notify the user of the end: 'always' (if omitted), 'on_failure' or 'never'.
    max_retries, retry_backoff, retry_on: How often a failed attempt is retried, after how many seconds, and after
        which exceptions; those of `Meta` if omitted.
    job_timeout: The time limit of `run()`: seconds, a text such as '10m', or -1 for none.
    depends_on: A job, the id of one, or a list of them, which must have completed first.
    after, on_failure_of: The same of jobs of ours: which must have completed; of which one must have failed.
    debounce, throttle: Which calls count as the same, of which one job runs: a `Debounce` or a `Throttle` instead of
        what `Meta` says.
    at_front, ttl, result_ttl, failure_ttl, meta, description, on_success, on_failure, on_stopped: RQ's; times in
        seconds.
    **arguments: The arguments of `run()`. Set options with `using()` if an argument is named like one.
"""


def enqueue_signature(
    instance: Model | None = None,
    *,
    name: str = '',
    user: Any = None,
    schedule_at: datetime | None = None,
    interval: int | Literal[Unchanged.UNCHANGED] | None = None,
    immediate: bool = False,
    queue_name: str | None = None,
    priority: int | None = None,
    notifications: str | None = None,
    cron: str | None = None,
    timezone: str | None = None,
    max_retries: int | None = None,
    retry_backoff: float | Sequence[float] | None = None,
    retry_on: type[BaseException] | Sequence[type[BaseException]] | None = None,
    job_timeout: int | str | None = None,
    depends_on: Any = None,
    after: Any = None,
    on_failure_of: Any = None,
    debounce: Any = None,
    throttle: Any = None,
    at_front: bool = False,
    ttl: int | str | None = None,
    result_ttl: int | str | None = None,
    failure_ttl: int | str | None = None,
    meta: Mapping[str, Any] | None = None,
    description: str | None = None,
    on_success: Any = None,
    on_failure: Any = None,
    on_stopped: Any = None,
    **arguments: Any,
) -> Any:
    """Have the signature of `enqueue()`, for type checkers and for `help()`."""
    raise NotImplementedError


def enqueue_once_signature(
    instance: Model | None = None,
    schedule_at: datetime | None = None,
    interval: int | Literal[Unchanged.UNCHANGED] | None = UNCHANGED,
    *,
    name: str = '',
    user: Any = None,
    queue_name: str | None = None,
    priority: int | None = None,
    notifications: str | None = None,
    cron: str | None = None,
    timezone: str | None = None,
    max_retries: int | None = None,
    retry_backoff: float | Sequence[float] | None = None,
    retry_on: type[BaseException] | Sequence[type[BaseException]] | None = None,
    job_timeout: int | str | None = None,
    depends_on: Any = None,
    after: Any = None,
    on_failure_of: Any = None,
    debounce: Any = None,
    throttle: Any = None,
    at_front: bool = False,
    ttl: int | str | None = None,
    result_ttl: int | str | None = None,
    failure_ttl: int | str | None = None,
    meta: Mapping[str, Any] | None = None,
    description: str | None = None,
    on_success: Any = None,
    on_failure: Any = None,
    on_stopped: Any = None,
    **arguments: Any,
) -> Any:
    """Have the signature of `enqueue_once()`, for type checkers and for `help()`."""
    raise NotImplementedError


def signed_like(donor: Callable[P, Any]) -> Callable[[Callable[..., R]], Callable[Concatenate[Any, P], R]]:
    """Decorate a class method that takes anything: it shows the parameters of another function."""

    def decorate(method: Callable[..., R]) -> Callable[..., R]:
        shown = inspect.signature(donor)
        cls = inspect.Parameter('cls', inspect.Parameter.POSITIONAL_ONLY)
        returned = inspect.signature(method).return_annotation
        method.__doc__ = f'{inspect.cleandoc(method.__doc__ or "")}\n\n{OPTIONS_HELP}'
        vars(method)['__signature__'] = shown.replace(
            parameters=[cls, *shown.parameters.values()], return_annotation=returned
        )
        return method

    return decorate

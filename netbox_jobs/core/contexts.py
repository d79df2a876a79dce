"""What travels with a job from the call that enqueues it to its run: the tenant, the language, a trace.

`capture()` is called once for a call, and `restored()` surrounds everything that is done for the job later: this module
is the only place for both. The row keeps the values, under the signature that covers its arguments.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any, Protocol, runtime_checkable

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connections
from django.utils.module_loading import import_string

from ..exceptions import ContextNotRestored, ContextUnknown
from . import arguments, conf
from .text import described, storable_data, storable_text

logger = logging.getLogger('netbox_jobs')

#: Bytes of JSON that all values of one job may take. (The baggage of a trace has 8 KiB at most.)
MAX_SIZE = 16 * 1024
_LONGEST_TENANT = 100


@dataclass(frozen=True, slots=True)
class Call:
    """What a call enqueues, for contexts that record it."""

    runner: str
    queue: str
    #: How many jobs at once.
    count: int = 1


@runtime_checkable
class JobContext(Protocol):
    """What a job takes along from the caller to `run()`. `NETBOX_JOBS['CONTEXT']` lists such classes by their paths.

    Each process makes one object of the class, without arguments, and uses it in all threads.

    A class may set `separates_objects = True`, as one for tenants does: two objects of the same model with the same
    primary key are different objects then if the values differ. The value is part of the identity by which
    `enqueue_once()` finds a job, and `job.tenant` shows it.

    A class may set `goes_on = True`, as one for traces does: the next occurrence of a periodic job, and a job made by
    `job.retry()`, take the value of the place where they are enqueued instead of that of the job before them.

    A class may have `capture_call(call)` as well, which is called instead of `capture()` when the call is known:
    `call` has the path of its `runner`, its `queue`, and the `count` of its jobs.
    """

    #: The key of the value in `job.context`. It must not change while jobs wait that have a value under it.
    name: str

    def capture(self) -> Any:
        """Return what the calling code runs in, as a JSON value; None if there is nothing to restore.

        Called by each call that enqueues, in the thread of the caller, before anything is written. What it raises ends
        the call.
        """

    def restore(self, value: Any) -> AbstractContextManager[Any]:
        """Return a context manager in which code runs as in the place of the call; it undoes what it does.

        It surrounds the decoding of the arguments, `handle()`, `run()`, the end of the job, and the receivers of its
        signals; `netbox_jobs.context.current_job()` is the job, wherever it has a run. What it raises, or what its
        `__enter__()` raises, ends the job as errored. Its `__exit__()` receives no exception: how `run()` ended is
        recorded on the job by then.

        Args:
            value: What `capture()` has returned, in the process that enqueued the job or its first occurrence.
        """


# The `job_id` of the job whose context is restored here.
_restored: ContextVar[Any] = ContextVar('netbox_jobs.restored', default=None)


def configured() -> dict[str, JobContext]:
    """Return the contexts of the project by their names, in the order of the setting.

    Raises:
        ImproperlyConfigured: A path cannot be imported, what is there is no context, or two have one name.
    """
    return _load(tuple(conf.get('CONTEXT')))


@lru_cache(maxsize=8)
def _load(paths: tuple[str, ...]) -> dict[str, JobContext]:
    found: dict[str, JobContext] = {}
    for path in paths:
        try:
            context = import_string(path)()
        except Exception as error:
            raise ImproperlyConfigured(
                f"NETBOX_JOBS['CONTEXT'] names {path!r}, which cannot be used: {described(error)}. Expected the path "
                'of a class that takes no arguments.'
            ) from error
        name = getattr(context, 'name', None)
        if not isinstance(context, JobContext) or not isinstance(name, str) or not name or not name.isascii():
            raise ImproperlyConfigured(
                f"NETBOX_JOBS['CONTEXT'] names {path!r}, which is no context: expected a class with capture(), "
                f'restore(value) and a name in ASCII. (Its name is {name!r}.)'
            )
        if name in found:
            raise ImproperlyConfigured(f"NETBOX_JOBS['CONTEXT'] names two contexts of the name {name!r}; keep one.")
        found[name] = context
    return found


def capture(call: Call | None = None) -> dict[str, Any]:
    """Return what the calling code runs in: the values of all contexts that have one, by their names.

    Args:
        call: What is enqueued, if that is known.

    Raises:
        TypeError, ValueError: A value is no JSON, or together they are too large.
        ImproperlyConfigured: The calling code runs in the schema of a tenant, which no context carries.
    """
    known = configured()
    values: dict[str, Any] = {}
    for name, context in known.items():
        try:
            value = storable_data(_value(context, call), f'The context {name!r}')
        except Exception as error:
            error.add_note(f"(capture() of the context {name!r}, see NETBOX_JOBS['CONTEXT'])")
            raise
        if value is not None:
            # As a database returns it: keys are text, and a date is one, too.
            values[name] = json.loads(json.dumps(value, cls=DjangoJSONEncoder))
    if values and (size := len(signed_text(values))) > MAX_SIZE:
        raise ValueError(f'The contexts {", ".join(values)} take {size:,} bytes; at most {MAX_SIZE:,} can be stored.')
    if not any(separates(context) for context in known.values()):
        _check_schema()
    return values


def _value(context: JobContext, call: Call | None) -> Any:
    capture_call = getattr(context, 'capture_call', None)
    return context.capture() if call is None or capture_call is None else capture_call(call)


def inherited(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """Return what a successor or a retry takes along.

    Args:
        before: What the job before it has.
        now: What it is enqueued in; contexts that say `goes_on = True` have this value.
    """
    going_on = {
        name: now[name]
        for name, context in (configured().items() if now else ())
        if name in now and getattr(context, 'goes_on', False)
    }
    return {**before, **going_on} if going_on else before


def separates(context: JobContext) -> bool:
    """Return whether objects with one primary key are different objects where this context has different values."""
    return bool(getattr(context, 'separates_objects', False))


def tenant_of(values: Mapping[str, Any]) -> str:
    """Return the part of an object's identity that is in these values; empty where no context separates objects."""
    known = configured()
    parts = [values[name] for name, context in known.items() if separates(context) and name in values]
    text = '\n'.join(part if isinstance(part, str) else json.dumps(part, sort_keys=True) for part in parts)
    return text if len(storable_text(text)) <= _LONGEST_TENANT else sha256(text.encode()).hexdigest()


def current_tenant() -> str:
    """Return `tenant_of()` what the calling code runs in."""
    separating = {name: context for name, context in configured().items() if separates(context)}
    if not separating:
        return ''
    values = {name: context.capture() for name, context in separating.items()}
    return tenant_of({name: value for name, value in values.items() if value is not None})


def tenant_filter() -> dict[str, str]:
    """Return the condition by which jobs are about objects of the current tenant; none where no context separates them.

    Without it, the jobs of another tenant's object with the same primary key would be found, and deleted.
    """
    return {'tenant': current_tenant()} if any(separates(context) for context in configured().values()) else {}


def _check_schema() -> None:
    public = getattr(settings, 'PUBLIC_SCHEMA_NAME', 'public')
    for connection in connections.all(initialized_only=True):
        schema = getattr(connection, 'schema_name', None)  # of django-tenants
        if schema and schema != public:
            raise ImproperlyConfigured(
                f'The connection {connection.alias!r} is in the schema {schema!r}, and no context carries that to the '
                f'worker, which would run the job in the schema {public!r}. Add '
                "'netbox_jobs.contrib.contexts.TenantSchema' to NETBOX_JOBS['CONTEXT']."
            )


def signed_text(values: Mapping[str, Any]) -> str:
    """Return these values as the signature covers them, whatever form a database gives to the same JSON."""
    return json.dumps(_normal(values), sort_keys=True, separators=(',', ':')) if values else ''


def _normal(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)  # PostgreSQL makes 100000 of 1e5
    if isinstance(value, Mapping):
        return {key: _normal(item) for key, item in value.items()}
    return [_normal(item) for item in value] if isinstance(value, list) else value


@contextmanager
def restored(job: Any) -> Iterator[None]:
    """Run the block in what the job was enqueued in; within the block of the same job, change nothing.

    Raises:
        ArgumentsRefused: The context does not carry our signature.
        ContextUnknown: This process does not know one of the names: other code has enqueued the job.
        ContextNotRestored: A context could not be restored; those before it are left again.
    """
    values = job.context
    if not values or _restored.get() == job.job_id:
        yield
        return
    arguments.verify(
        job.arguments_format,
        bytes(job.arguments),
        job.arguments_signature,
        job.job_id,
        job.runner,
        signed_text(values),
    )
    known = configured()
    if unknown := sorted(values.keys() - known.keys()):
        raise ContextUnknown(
            f"The job was enqueued in the context {', '.join(unknown)}, which is not in NETBOX_JOBS['CONTEXT'] of this "
            'process.'
        )
    with _entered([(context, values[name]) for name, context in known.items() if name in values]):
        token = _restored.set(job.job_id)
        try:
            yield
        finally:
            _restored.reset(token)


@contextmanager
def _entered(contexts: list[tuple[JobContext, Any]]) -> Iterator[None]:
    stack = ExitStack()
    try:
        for context, value in contexts:
            try:
                stack.enter_context(context.restore(value))
            except Exception as error:
                raise ContextNotRestored(
                    f'The context {context.name!r} could not be restored: {described(error)}.'
                ) from error
        yield
    finally:
        try:
            stack.close()
        except Exception:
            logger.exception('A context could not be left: %s.', ', '.join(context.name for context, _ in contexts))

"""The settings of the framework: the keys of `NETBOX_JOBS` with their defaults, read at each use."""

import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from packaging.version import InvalidVersion, Version

#: The version of NetBox's job API that is reproduced.
API_VERSION = '4.7.0'

#: The largest limit of jobs that run at once.
MOST_AT_ONCE = 1_000_000
#: The largest number of a rate: what the column takes on every server.
_LARGEST_COUNT = 2_147_483_647
#: The most days for which ended jobs can be kept.
_MOST_DAYS = 100_000
#: Days for which ended jobs are kept, unless the project sets `JOB_RETENTION`.
DEFAULT_RETENTION = 90


@dataclass(frozen=True, slots=True)
class Setting:
    """A key of `NETBOX_JOBS`: its default, and which values it takes."""

    default: Any
    #: What a message says that was expected, with the unit and the range.
    expected: str
    accepts: Callable[[Any], bool]
    #: Whether messages must not have its value.
    secret: bool = False


def _number(default: float, unit: str, least: float, most: float, *, whole: bool = False) -> Setting:
    kinds = (int,) if whole else (int, float)

    def accepts(value: Any) -> bool:
        return isinstance(value, kinds) and not isinstance(value, bool) and least <= value <= most

    kind = 'a whole number' if whole else 'a number'
    return Setting(default, f'{kind} of {unit} from {least:g} to {most:,}', accepts)


def _is_queue_option(value: Any) -> bool:
    if not isinstance(value, dict) or value.keys() != {'concurrency'}:
        return False
    return is_size(value['concurrency'])


def is_size(value: object) -> bool:
    """Return whether a value says how many jobs may run at once."""
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST_AT_ONCE


def is_count(value: object) -> bool:
    """Return whether a value says how many jobs or calls a rate allows."""
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _LARGEST_COUNT


#: The longest span of a rate, in seconds.
LONGEST_PERIOD = 31 * 86_400


def is_period(value: Any) -> bool:
    """Return whether a value is a span of a rate."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0.01 <= value <= LONGEST_PERIOD


def _is_rate(name: Any, value: Any) -> bool:
    if not isinstance(name, str) or not name or not isinstance(value, dict) or value.keys() != {'most', 'per'}:
        return False
    return is_count(value['most']) and is_period(value['per'])


def _is_version(value: Any) -> bool:
    try:
        return bool(Version(value))
    except (InvalidVersion, TypeError):
        return False


SETTINGS: dict[str, Setting] = {
    # 'pickle' stores whatever pickle accepts; 'json' refuses everything that JSON (with dates, decimals, UUIDs,
    # sets, tuples and saved model instances) cannot say.
    'ARGUMENTS_FORMAT': Setting('pickle', "'pickle' or 'json'", lambda value: value in ('pickle', 'json')),
    # Largest encoded arguments of one job.
    'ARGUMENTS_MAX_SIZE': _number(1024 * 1024, 'bytes', 1, 1024**3, whole=True),
    # How long a worker may give no heartbeat before it is declared dead. A heartbeat is due every 5 seconds.
    'WORKER_TIMEOUT': _number(60, 'seconds', 6, 86_400),
    # How long a job waits for a worker that can import its runner (a rolling deploy) before it is errored.
    'RUNNER_GRACE': _number(600, 'seconds', 0, 7 * 86_400),
    # Whether ids of jobs are handed to Redis. Tests need no server without: their jobs wait in the database.
    'DELIVER': Setting(True, 'True or False', lambda value: isinstance(value, bool)),
    # How long an `enqueue()` may wait for Redis: to connect, and for each answer.
    'REDIS_TIMEOUT': _number(0.25, 'seconds', 0.01, 60),
    # How many jobs a child of the fast worker runs before another takes its place.
    'JOBS_PER_CHILD': _number(1000, 'jobs', 1, 1_000_000, whole=True),
    # Whether a worker imports the module of a runner itself once a child of it has had to, for the next ones.
    'PRELOAD_RUNNERS': Setting(True, 'True or False', lambda value: isinstance(value, bool)),
    # How many jobs of a queue may run at once: {'low': {'concurrency': 5}}.
    'QUEUES': Setting(
        {},
        f"a dictionary such as {{'low': {{'concurrency': 5}}}}, with whole numbers from 1 to {MOST_AT_ONCE:,}",
        lambda value: isinstance(value, dict) and all(map(_is_queue_option, value.values())),
    ),
    # How often runs may call what `self.rate(name)` stands for, within so many seconds.
    'RATES': Setting(
        {},
        "a dictionary such as {'api': {'most': 100, 'per': 60}}, with whole numbers from 1 and seconds from 0.01",
        lambda value: isinstance(value, dict) and all(_is_rate(*rate) for rate in value.items()),
    ),
    # Dotted paths of the classes whose values travel from the caller to the run; see `core.contexts.JobContext`.
    'CONTEXT': Setting(
        (),
        'a list of the dotted paths of classes',
        lambda value: isinstance(value, list | tuple) and all(isinstance(path, str) for path in value),
    ),
    # Dotted paths of what surrounds each call that enqueues, and each run; see `core.middleware`.
    'MIDDLEWARE': Setting(
        (),
        'a list of the dotted paths of classes or functions',
        lambda value: isinstance(value, list | tuple) and all(isinstance(path, str) for path in value),
    ),
    # Dotted path of a function that is called with each job that has ended, as its `notifications` ask for.
    'NOTIFY': Setting('', 'the dotted path of a function, or an empty text', lambda value: isinstance(value, str)),
    # The name of the project's release: what went wrong since a worker first ran it can be told from what did before.
    'RELEASE': Setting('', 'a text, such as a version', lambda value: isinstance(value, str)),
    # How long entries of the audit trail are kept.
    'AUDIT_RETENTION': _number(365, 'days, or 0 to keep all,', 0, 36_500, whole=True),
    # The keys that encrypt arguments and data: the first encrypts, all decrypt.
    'ENCRYPTION_KEYS': Setting(
        (),
        'a list of keys, as Fernet.generate_key() makes them',
        lambda value: isinstance(value, list | tuple) and all(isinstance(key, str) for key in value),
        secret=True,
    ),
    # Whether jobs of runners that do not say so are encrypted.
    'ENCRYPT': Setting(False, 'True or False', lambda value: isinstance(value, bool)),
    # What Prometheus sends to read the metrics of `contrib.metrics`; without one, only users may who may view jobs.
    'METRICS_TOKEN': Setting('', 'a text, or an empty one', lambda value: isinstance(value, str)),
    # How many streams of events of `contrib.rest` stay open in a process.
    'EVENT_STREAMS': _number(50, 'streams', 0, 10_000, whole=True),
    # The version of NetBox that `min_version` and `max_version` of plugins are compared with.
    'NETBOX_VERSION': Setting(API_VERSION, "a version of NetBox such as '4.5.10'", _is_version),
}


def get(name: str) -> Any:
    """Return the setting `name` of `NETBOX_JOBS`, or its default.

    Raises:
        ImproperlyConfigured: `NETBOX_JOBS` is no dictionary, holds a key that does not exist, or a value that this
            setting does not take.
    """
    setting, configured = SETTINGS[name], _configured()
    if name not in configured:
        return setting.default
    value = configured[name]
    if not setting.accepts(value):
        hidden = setting.secret and isinstance(value, str)  # the one key, instead of a list of keys
        raise ImproperlyConfigured(
            f'NETBOX_JOBS[{name!r}] is {"a text" if hidden else repr(value)}; expected '
            f'{setting.expected}. Its default is {setting.default!r}.'
        )
    return value


def _configured() -> dict[str, Any]:
    """Return what the project configures.

    Raises:
        ImproperlyConfigured: It is no dictionary, or holds a key that does not exist.
    """
    configured = getattr(settings, 'NETBOX_JOBS', {})
    if not isinstance(configured, dict):
        raise ImproperlyConfigured(f'NETBOX_JOBS is {configured!r}; expected a dictionary.')
    if not configured.keys() <= SETTINGS.keys():
        unknown = configured.keys() - SETTINGS.keys()
        raise ImproperlyConfigured(f'NETBOX_JOBS has {"; ".join(map(_unknown, sorted(unknown, key=str)))}.')
    return configured


def _unknown(key: object) -> str:
    close = difflib.get_close_matches(str(key).upper(), SETTINGS, 1)
    hint = f'did you mean {close[0]!r}?' if close else f'the keys are {", ".join(sorted(SETTINGS))}'
    return f'the unknown key {key!r} ({hint})'


def problems() -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the settings: the kind, 'keys' or 'value', and a message."""
    try:
        _configured()
    except ImproperlyConfigured as error:
        yield 'keys', str(error)
        return
    for name in SETTINGS:
        try:
            get(name)
        except ImproperlyConfigured as error:
            yield 'value', str(error)


def retention() -> int:
    """`JOB_RETENTION`: days for which ended jobs are kept (90 by default); 0 keeps them all.

    Raises:
        ImproperlyConfigured: It is no whole number of days.
    """
    days = getattr(settings, 'JOB_RETENTION', DEFAULT_RETENTION)
    if isinstance(days, bool) or not isinstance(days, int) or not 0 <= days <= _MOST_DAYS:
        raise ImproperlyConfigured(
            f'JOB_RETENTION is {days!r}; expected a whole number of days up to {_MOST_DAYS:,}, or 0 to keep all jobs.'
        )
    return days

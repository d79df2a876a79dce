"""The names of queues: which exist, which belong to plugins, and how they complete `RQ_QUEUES`."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from rq import Queue
from rq.exceptions import TimeoutFormatError
from rq.utils import parse_timeout

from ..constants import RQ_QUEUE_DEFAULT, RQ_QUEUE_HIGH, RQ_QUEUE_LOW
from ..exceptions import UnknownQueue
from .text import storable_text

#: In strict priority: `high` is emptied before `default` is looked at, and that before `low`.
DEFAULT_QUEUES = (RQ_QUEUE_HIGH, RQ_QUEUE_DEFAULT, RQ_QUEUE_LOW)

_LONGEST_NAME = 100
_LONGEST_TIMEOUT = 2_147_483_647
_plugin_queues: dict[str, tuple[str, ...]] = {}


def register_plugin(plugin: str, queues: object) -> None:
    """Add a plugin's queues to `RQ_QUEUES` as `<plugin>.<queue>`, on the connection of `default`.

    Raises:
        ImproperlyConfigured: `queues` is not a list of plain names.
    """
    if isinstance(queues, str | Mapping) or not isinstance(queues, Iterable):
        raise ImproperlyConfigured(f"{plugin}: queues is {queues!r}; expected a list of names such as ['sync'].")
    names = list(queues)
    for name in names:
        if not isinstance(name, str) or not name or name != name.strip() or any(c in name for c in ', \t\n'):
            raise ImproperlyConfigured(
                f'{plugin}: the queue name {name!r} is not usable; expected a short name without spaces or commas.'
            )
        if len(f'{plugin}.{name}') > _LONGEST_NAME:
            raise ImproperlyConfigured(f'The queue {plugin}.{name} has more than {_LONGEST_NAME} characters.')
    _plugin_queues[plugin] = tuple(f'{plugin}.{name}' for name in dict.fromkeys(names))
    complete_settings()


def plugin_queues() -> list[str]:
    """Return the full names of the queues of all plugins."""
    return [name for names in _plugin_queues.values() for name in names]


def complete_settings() -> None:
    """Fill `high`, `default`, `low` and the plugins' queues in `RQ_QUEUES` where they are not configured already.

    Called again when a test overrides the setting. Without a `default` there is nothing to copy the connection
    from: a system check reports that, and the first use raises.
    """
    configured = getattr(settings, 'RQ_QUEUES', None)
    if not isinstance(configured, dict) or 'default' not in configured:
        return
    wanted = (*DEFAULT_QUEUES, *plugin_queues())
    missing = {name: configured['default'] for name in wanted if name not in configured}
    if missing:
        settings.RQ_QUEUES = {**configured, **missing}


def configured() -> dict[str, dict[str, Any]]:
    """Return all queues by name, as `RQ_QUEUES` configures them.

    Raises:
        ImproperlyConfigured: `RQ_QUEUES` has no `default`.
    """
    queues = getattr(settings, 'RQ_QUEUES', None)
    if not isinstance(queues, dict) or 'default' not in queues:
        raise ImproperlyConfigured(
            "The setting RQ_QUEUES must be a dictionary with at least the queue 'default', for example "
            "RQ_QUEUES = {'default': {'HOST': '127.0.0.1', 'PORT': 6379, 'DB': 0}}."
        )
    return queues


def check(name: str) -> str:
    """Return `name` if such a queue exists.

    Raises:
        UnknownQueue: It does not; the message lists those that do.
    """
    queues = configured()
    if not isinstance(name, str) or name not in queues:
        raise UnknownQueue(
            f'There is no queue {name!r}; the queues are {", ".join(map(repr, sorted(queues)))}. A plugin declares '
            'its own in PluginConfig.queues, a project in RQ_QUEUES.'
        )
    if len(storable_text(name)) > _LONGEST_NAME:
        raise ValueError(f'The name of the queue {name!r} is longer than the {_LONGEST_NAME} characters that are kept.')
    return name


def check_options(name: object, options: object) -> None:
    """Check what `RQ_QUEUES` says of a queue, as far as it is not for RQ to check.

    Raises:
        ImproperlyConfigured: The name is no text, the options are no dictionary, or `ASYNC` is neither True nor False:
            a text, as an environment variable has it, would be taken for True.
    """
    if not isinstance(name, str):
        raise ImproperlyConfigured(f'RQ_QUEUES has the queue {name!r}; expected a text as its name.')
    if not isinstance(options, dict):
        raise ImproperlyConfigured(f"RQ_QUEUES[{name!r}] is {options!r}; expected a dictionary such as {{'URL': ...}}.")
    if not isinstance(options.get('ASYNC', True), bool):
        raise ImproperlyConfigured(f"RQ_QUEUES[{name!r}]['ASYNC'] is {options['ASYNC']!r}; expected True or False.")


def timeout(name: str) -> int:
    """Return the time limit in seconds of jobs in this queue that have none of their own; -1 is none.

    Raises:
        ImproperlyConfigured: `DEFAULT_TIMEOUT` is no such limit. RQ takes a text such as '10m' as well.
    """
    value = configured().get(name, {}).get('DEFAULT_TIMEOUT')
    if value is None or (value == 0 and not isinstance(value, bool)):  # RQ takes 0 for no value as well
        value = Queue.DEFAULT_TIMEOUT
    try:
        limit = None if isinstance(value, bool) else parse_timeout(value)
    except (TimeoutFormatError, TypeError, ValueError, OverflowError, AssertionError):
        limit = None
    if limit is None or not (limit == -1 or 0 < limit <= _LONGEST_TIMEOUT):
        raise ImproperlyConfigured(
            f"RQ_QUEUES[{name!r}]['DEFAULT_TIMEOUT'] is {value!r}; expected seconds up to {_LONGEST_TIMEOUT:,}, a text "
            "such as '10m', or -1 for no limit."
        )
    return int(limit)


def is_async(name: str) -> bool:
    """Return False for a queue with `ASYNC: False`, whose jobs run in the caller's process right after the commit."""
    return bool(configured().get(name, {}).get('ASYNC', True))

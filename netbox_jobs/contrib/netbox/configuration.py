"""What job code of plugins reads of NetBox's configuration: Django's settings."""

from typing import Any

from django.conf import LazySettings, settings

from ...constants import RQ_QUEUE_DEFAULT
from ...core import conf, queues
from .registry import registry

#: The version of NetBox that plugins are told of.
VERSION = conf.get('NETBOX_VERSION')

#: Keys for PostgreSQL's advisory locks. The lock on schedules, which plugins take around a change of theirs, is not
#: taken by `enqueue_once()`: constraints in the database keep schedules unique.
ADVISORY_LOCK_KEYS = {'job-schedules': 110100}


def get_config() -> LazySettings:
    """Return the settings. NetBox's are partly in its database; a project's are not."""
    return settings


def setting(name: str) -> Any:
    """Return a setting by its name, as an attribute of `netbox.settings`.

    Raises:
        AttributeError: The project does not have it.
    """
    if name.startswith('_'):
        raise AttributeError(name)
    return getattr(settings, name)


def provide_settings() -> None:
    """Give the project those settings of NetBox that job code reads, where it does not have them itself."""
    provided = {
        'PLUGINS': registry['plugins']['installed'],
        'PLUGINS_CONFIG': {},
        'QUEUE_MAPPINGS': {},
        'RQ_DEFAULT_TIMEOUT': queues.timeout(RQ_QUEUE_DEFAULT),
        'RQ_RETRY_INTERVAL': 0,
        'RQ_RETRY_MAX': 0,
        'VERSION': VERSION,
    }
    for name, value in provided.items():
        if not hasattr(settings, name):
            setattr(settings, name, value)

"""System checks: mistakes in the settings that would otherwise stay unnoticed."""

from typing import Any

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from .core import conf, queues
from .models import database
from .plugins import PluginConfig


@checks.register
def check_queues(**kwargs: Any) -> list[checks.CheckMessage]:
    """`RQ_QUEUES` must have a `default`."""
    try:
        queues.configured()
    except ImproperlyConfigured as error:
        return [checks.Error(str(error), id='netbox_jobs.E001')]
    return []


@checks.register
def check_apps(**kwargs: Any) -> list[checks.CheckMessage]:
    """`netbox_jobs` must come before `django_rq`, so that its `rqworker` wins."""
    names = [config.name for config in apps.get_app_configs()]
    if 'django_rq' not in names:
        return [checks.Error("INSTALLED_APPS lacks 'django_rq'; add it after 'netbox_jobs'.", id='netbox_jobs.E002')]
    if names.index('netbox_jobs') > names.index('django_rq'):
        return [
            checks.Error(
                "'django_rq' comes before 'netbox_jobs' in INSTALLED_APPS, so its rqworker is run instead of ours, "
                "and jobs are not accounted for. Put 'netbox_jobs' first.",
                id='netbox_jobs.E003',
            )
        ]
    return []


@checks.register
def check_plugins(**kwargs: Any) -> list[checks.CheckMessage]:
    """A plugin's configuration in its `__init__.py`, which Django does not look into, must be installed by its path."""
    found: list[checks.CheckMessage] = []
    for config in apps.get_app_configs():
        classes = (value for value in vars(config.module or object).values() if isinstance(value, type))
        for candidate in dict.fromkeys(classes):  # NetBox's idiom gives it a second name: `config = ...`
            if not issubclass(candidate, PluginConfig):
                continue
            if candidate.__module__ == config.name and not isinstance(config, candidate):
                path = f'{candidate.__module__}.{candidate.__qualname__}'
                found.append(
                    checks.Error(
                        f'The plugin {config.name} is installed without its PluginConfig: its queues and settings '
                        f'are missing. Write {path!r} in INSTALLED_APPS.',
                        id='netbox_jobs.E006',
                    )
                )
    return found


@checks.register
def check_settings(**kwargs: Any) -> list[checks.CheckMessage]:
    """`NETBOX_JOBS` must hold known keys, and values of the right kind."""
    try:
        values = {name: conf.get(name) for name in conf.DEFAULTS}
        conf.retention()
    except ImproperlyConfigured as error:
        return [checks.Error(str(error), id='netbox_jobs.E004')]
    found: list[checks.CheckMessage] = []
    for name, default in conf.DEFAULTS.items():
        value = values[name]
        switch = isinstance(default, bool)
        number = isinstance(default, int | float) and not switch
        if (
            (switch and not isinstance(value, bool))
            or (number and (isinstance(value, bool) or not isinstance(value, int | float) or value < 0))
            or (name == 'ARGUMENTS_FORMAT' and value not in ('pickle', 'json'))
        ):
            found.append(
                checks.Error(
                    f'NETBOX_JOBS[{name!r}] is {value!r}; expected {_expected(default)}. Its default is {default!r}.',
                    id='netbox_jobs.E005',
                )
            )
    try:
        if values['NOTIFY']:
            import_string(values['NOTIFY'])
    except (ImportError, TypeError, AttributeError) as error:
        found.append(checks.Error(f"NETBOX_JOBS['NOTIFY'] cannot be imported: {error}.", id='netbox_jobs.E007'))
    return found


def _expected(default: object) -> str:
    if isinstance(default, bool):
        return 'True or False'
    return 'a number from 0' if isinstance(default, int | float) else "'pickle' or 'json'"


@checks.register
def check_sqlite(**kwargs: Any) -> list[checks.CheckMessage]:
    """SQLite needs three options, or callers fail with "database is locked" as soon as two of them write."""
    configured = settings.DATABASES[database()]
    if not configured['ENGINE'].endswith('sqlite3'):
        return []
    options = configured.get('OPTIONS', {})
    lacking = []
    if str(options.get('transaction_mode', '')).upper() != 'IMMEDIATE':
        lacking.append("'transaction_mode': 'IMMEDIATE'")
    if options.get('timeout', 5) < 10:
        lacking.append("'timeout': 20")
    if 'wal' not in str(options.get('init_command', '')).lower():
        lacking.append("'init_command': 'PRAGMA journal_mode=WAL'")
    if not lacking:
        return []
    return [
        checks.Warning(
            'Jobs on SQLite fail with "database is locked" under load without these OPTIONS of the database: '
            f'{", ".join(lacking)}.',
            id='netbox_jobs.W001',
        )
    ]

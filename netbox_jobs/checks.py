"""System checks: mistakes in the settings that would otherwise stay unnoticed."""

from typing import Any

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.core.management import BaseCommand, get_commands, load_command_class
from django.db import connections
from django.utils.module_loading import import_string

from .core import charset, conf, contexts, encryption, middleware, queues, runner_options
from .core.import_path import path_of
from .models import database
from .monitoring import runners
from .plugins import PluginConfig


@checks.register
def check_queues(**kwargs: Any) -> list[checks.CheckMessage]:
    """`RQ_QUEUES` must have a `default`, and options that are some: names, time limits, `ASYNC`."""
    try:
        configured = queues.configured()
    except ImproperlyConfigured as error:
        return [checks.Error(str(error), id='netbox_jobs.E001')]
    found: list[checks.CheckMessage] = []
    for name in sorted(configured, key=str):
        try:
            queues.check_options(name, configured[name])
            queues.timeout(name)
        except ImproperlyConfigured as error:
            found.append(checks.Error(str(error), id='netbox_jobs.E013'))
    return found


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
def check_commands(**kwargs: Any) -> list[checks.CheckMessage]:
    """The commands that run workers must be ours, extend ours, or run our worker, whichever app they are found in."""
    found: list[checks.CheckMessage] = []
    if _runs_our_worker():
        return found
    for name in ('rqworker', 'rqworker-pool'):
        owner = get_commands().get(name, '')
        if owner == 'netbox_jobs' or owner == 'django_rq':
            continue  # ours; that of django_rq is what check_apps() looks at
        command = type(owner if isinstance(owner, BaseCommand) else load_command_class(owner, name))
        if not issubclass(command, type(load_command_class('netbox_jobs', name))):
            found.append(
                checks.Error(
                    f"{name} is that of {owner}, which stands before 'netbox_jobs' in INSTALLED_APPS: jobs are not "
                    "accounted for. Put 'netbox_jobs' before it, have its command extend ours, or set RQ = "
                    "{'WORKER_CLASS': 'netbox_jobs.worker.Worker'}; then it schedules no system jobs.",
                    id='netbox_jobs.E008',
                )
            )
    return found


def _runs_our_worker() -> bool:
    """Return whether django-rq's setting makes all commands run our worker."""
    path = getattr(settings, 'RQ', {}).get('WORKER_CLASS')
    return isinstance(path, str) and path.startswith('netbox_jobs.worker.')


@checks.register
def check_contexts(**kwargs: Any) -> list[checks.CheckMessage]:
    """The classes that `NETBOX_JOBS['CONTEXT']` names must be there, and have what a context has."""
    try:
        contexts.configured()
    except ImproperlyConfigured as error:
        if not list(conf.problems()):  # check_settings() says so
            return [checks.Error(str(error), id='netbox_jobs.E012')]
    return []


@checks.register
def check_tenants(**kwargs: Any) -> list[checks.CheckMessage]:
    """With django-tenants, one set of tables serves all tenants, and each job knows its own."""
    if not apps.is_installed('django_tenants'):
        return []
    found: list[checks.CheckMessage] = []
    for name in ('netbox_jobs', 'django.contrib.contenttypes'):
        if _names(name, 'TENANT_APPS') or not _names(name, 'SHARED_APPS'):
            found.append(
                checks.Error(
                    f'{name!r} must be in SHARED_APPS and not in TENANT_APPS: workers and pages read the jobs of all '
                    'tenants, and the types of their objects, in the public schema.',
                    id='netbox_jobs.E011',
                )
            )
    try:
        carried = any(contexts.separates(context) for context in contexts.configured().values())
    except ImproperlyConfigured:
        return found  # check_contexts() says so
    if not carried:
        found.append(
            checks.Warning(
                'No context carries the tenant from the call to the run, so that enqueue() in the schema of a tenant '
                "raises. Add 'netbox_jobs.contrib.contexts.TenantSchema' to NETBOX_JOBS['CONTEXT'].",
                id='netbox_jobs.W003',
            )
        )
    return found


def _names(app: str, setting: str) -> bool:
    return any(path == app or path.startswith(f'{app}.') for path in getattr(settings, setting, ()))


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
    ids = {'keys': 'netbox_jobs.E004', 'value': 'netbox_jobs.E005'}
    found: list[checks.CheckMessage] = [checks.Error(text, id=ids[kind]) for kind, text in conf.problems()]
    try:
        conf.retention()
    except ImproperlyConfigured as error:
        found.append(checks.Error(str(error), id='netbox_jobs.E004'))
    if found:
        return found
    known = getattr(settings, 'RQ_QUEUES', None) or {}
    for name in conf.get('QUEUES').keys() - known:
        text = (
            f"NETBOX_JOBS['QUEUES'] limits the queue {name!r}, which does not exist; the queues are {', '.join(known)}."
        )
        found.append(checks.Error(text, id='netbox_jobs.E005'))
    try:
        if (path := conf.get('NOTIFY')) and not callable(import_string(path)):
            text = f"NETBOX_JOBS['NOTIFY'] is {path!r}, which is no function."
            found.append(checks.Error(text, id='netbox_jobs.E007'))
    except (ImportError, TypeError, AttributeError) as error:
        found.append(checks.Error(f"NETBOX_JOBS['NOTIFY'] cannot be imported: {error}.", id='netbox_jobs.E007'))
    return found


@checks.register(checks.Tags.database)
def check_charset(databases: Any = None, **kwargs: Any) -> list[checks.CheckMessage]:
    """On MariaDB and MySQL, the tables should hold all of Unicode. (`migrate` and `check --database` look at that.)"""
    using = database()
    if using not in (databases or ()) or connections[using].vendor != 'mysql':
        return []
    charset.forget()
    found = charset.narrowest(using)
    if found == 'utf8mb4':
        return []
    return [
        checks.Warning(
            f'The tables of jobs, or the connection, are in the character set {found}: text that it lacks, such as '
            "emoji, is escaped in names, logs and errors. Convert the database to utf8mb4, and set OPTIONS['charset'].",
            id='netbox_jobs.W002',
        )
    ]


@checks.register
def check_autocommit(**kwargs: Any) -> list[checks.CheckMessage]:
    """Without autocommit, what a worker writes is never committed: a job would run again and again."""
    using = database()
    if settings.DATABASES[using].get('AUTOCOMMIT', True):
        return []
    return [
        checks.Error(
            f"DATABASES[{using!r}]['AUTOCOMMIT'] is False: what workers record of jobs would not be committed. Remove "
            'it; code that manages its transactions can call `connection.set_autocommit(False)`.',
            id='netbox_jobs.E014',
        )
    ]


@checks.register
def check_encryption(**kwargs: Any) -> list[checks.CheckMessage]:
    """The keys must be keys, and what is to be encrypted needs one."""
    try:
        if encryption.ring() is not None or not conf.get('ENCRYPT'):
            return []
    except ImproperlyConfigured as error:
        if list(conf.problems()):  # check_settings() says so
            return []
        return [checks.Error(str(error), id='netbox_jobs.E015')]
    return [
        checks.Error(
            "NETBOX_JOBS['ENCRYPT'] is True, and NETBOX_JOBS['ENCRYPTION_KEYS'] has no key: no job can be enqueued. "
            'Add one, as Fernet.generate_key() makes it.',
            id='netbox_jobs.E015',
        )
    ]


@checks.register
def check_middleware(**kwargs: Any) -> list[checks.CheckMessage]:
    """The paths in `MIDDLEWARE` must name middleware."""
    try:
        middleware.configured()
    except ImproperlyConfigured as error:
        if list(conf.problems()):  # check_settings() says so
            return []
        return [checks.Error(str(error), id='netbox_jobs.E016')]
    return []


@checks.register
def check_runners(**kwargs: Any) -> list[checks.CheckMessage]:
    """A misspelt option in `Meta` of a runner would have no effect. Runners that are not imported are not checked."""
    return [
        checks.Warning(f'{path_of(runner)}.Meta: {text}', id='netbox_jobs.W004')
        for runner in dict.fromkeys(runners.imported())
        for text in runner_options.mistaken(runner)
    ]


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

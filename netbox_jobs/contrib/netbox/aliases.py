"""The modules of NetBox that plugins can import: the table of their names, and the finder that reads it.

Python asks the finder after all others, so a module that the project has itself is never hidden; a system check
reports it. A name that is not in the table raises `ImportError`, as any name does that a module lacks.
"""

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

_HERE = 'netbox_jobs.contrib.netbox'
_JOB = {'Job': 'netbox_jobs.models.Job'}
_JOBS_MIXIN = {'JobsMixin': 'netbox_jobs.models.JobsMixin'}
_JOB_TABLE = {'JobTable': f'{_HERE}.tables.JobTable'}
_PLUGIN_CONFIG = {
    'get_installed_plugins': f'{_HERE}.plugins.get_installed_plugins',
    'get_plugin_config': 'netbox_jobs.plugins.get_plugin_config',
}
_NAVIGATION = {name: f'{_HERE}.navigation.{name}' for name in ('PluginMenu', 'PluginMenuButton', 'PluginMenuItem')}
_TEMPLATES = {'PluginTemplateExtension': f'{_HERE}.navigation.PluginTemplateExtension'}

#: The modules of NetBox that can be imported: each name in them, and the path of the object that it stands for.
ALIASES: dict[str, dict[str, str]] = {
    'core': {},
    'core.choices': {
        name: f'netbox_jobs.choices.{name}'
        for name in ('JobIntervalChoices', 'JobNotificationChoices', 'JobStatusChoices')
    },
    'core.exceptions': {
        'JobFailed': 'netbox_jobs.exceptions.JobFailed',
        'SyncError': f'{_HERE}.exceptions.SyncError',
    },
    'core.models': {**_JOB, 'ObjectType': 'django.contrib.contenttypes.models.ContentType'},
    'core.models.jobs': _JOB,
    'core.signals': {
        'clear_events': f'{_HERE}.requests.clear_events',
        **{name: f'netbox_jobs.signals.{name}' for name in ('job_end', 'job_start')},
    },
    'core.tables': _JOB_TABLE,
    'core.tables.jobs': _JOB_TABLE,
    'core.utils': {'stop_rq_job': f'{_HERE}.actions.stop_rq_job'},
    'netbox': {},
    'netbox.config': {'get_config': f'{_HERE}.configuration.get_config'},
    'netbox.constants': {
        'ADVISORY_LOCK_KEYS': f'{_HERE}.configuration.ADVISORY_LOCK_KEYS',
        **{name: f'netbox_jobs.constants.{name}' for name in ('RQ_QUEUE_DEFAULT', 'RQ_QUEUE_HIGH', 'RQ_QUEUE_LOW')},
    },
    'netbox.context': {name: f'{_HERE}.requests.{name}' for name in ('current_request', 'events_queue')},
    'netbox.context_managers': {'event_tracking': f'{_HERE}.requests.event_tracking'},
    'netbox.jobs': {
        'AsyncViewJob': f'{_HERE}.background.AsyncViewJob',
        **{name: f'netbox_jobs.jobs.{name}' for name in ('Job', 'JobFailed', 'JobRunner', 'JobStatusChoices')},
        'system_job': 'netbox_jobs.jobs.system_job',
    },
    'netbox.models': _JOBS_MIXIN,
    'netbox.models.features': _JOBS_MIXIN,
    'netbox.plugins': {
        'PluginConfig': f'{_HERE}.plugins.PluginConfig',
        **_PLUGIN_CONFIG,
        **_NAVIGATION,
        **_TEMPLATES,
    },
    'netbox.plugins.navigation': _NAVIGATION,
    'netbox.plugins.templates': _TEMPLATES,
    'netbox.plugins.utils': _PLUGIN_CONFIG,
    'netbox.registry': {'registry': f'{_HERE}.registry.registry'},
    'netbox.settings': {'VERSION': f'{_HERE}.configuration.VERSION', '__getattr__': f'{_HERE}.configuration.setting'},
    'utilities': {},
    'utilities.datetime': {'local_now': 'django.utils.timezone.localtime'},
    'utilities.exceptions': {
        name: f'{_HERE}.exceptions.{name}'
        for name in ('AbortRequest', 'AbortScript', 'AbortTransaction', 'PermissionsViolation')
    },
    'utilities.jobs': {
        name: f'{_HERE}.background.{name}'
        for name in ('AsyncJobData', 'is_background_request', 'process_request_as_job')
    },
    'utilities.request': {
        name: f'{_HERE}.requests.{name}'
        for name in ('NetBoxFakeRequest', 'apply_request_processors', 'copy_safe_request')
    },
    'utilities.rqworker': {
        name: f'{_HERE}.queues.{name}'
        for name in (
            'any_workers_for_queue',
            'get_all_workers',
            'get_queue_for_model',
            'get_rq_retry',
            'get_workers_for_queue',
        )
    },
}


class AliasLoader(Loader):
    """Makes a module of the table: a new one, with the names that the table has for it."""

    def exec_module(self, module: ModuleType) -> None:
        aliases = ALIASES[module.__name__]
        # Where Python says that a name cannot be imported, it says from which file.
        module.__file__ = __file__
        module.__doc__ = f'The names of {module.__name__} that {_HERE} provides.'
        vars(module).update({name: import_string(path) for name, path in aliases.items()})
        vars(module)['__all__'] = sorted(name for name in aliases if not name.startswith('_'))


class AliasFinder(MetaPathFinder):
    """Finds the modules of the table."""

    _loader = AliasLoader()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in ALIASES:
            return None
        is_package = any(name.startswith(f'{fullname}.') for name in ALIASES)
        return ModuleSpec(fullname, self._loader, origin=_HERE, is_package=is_package)


_FINDER = AliasFinder()


def install() -> None:
    """Let plugins import the modules of the table from now on.

    Raises:
        ImproperlyConfigured: NetBox itself is installed.
    """
    found = PathFinder.find_spec('netbox')
    if found is not None and found.loader is not None and found.origin is not None:
        raise ImproperlyConfigured(
            f"'{_HERE}' is in INSTALLED_APPS, but NetBox itself is installed ({found.origin}), and its plugins import "
            'from it. Remove the app: it is for projects without NetBox.'
        )
    if _FINDER not in sys.meta_path:
        sys.meta_path.append(_FINDER)

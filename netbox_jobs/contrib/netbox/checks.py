"""System checks: what plugins import and would not get, and what they need besides."""

import importlib.util
from typing import Any

from django.apps import apps
from django.core import checks

from . import aliases
from .plugins import PluginConfig


@checks.register
def check_aliases(**kwargs: Any) -> list[checks.CheckMessage]:
    """A module of the project hides the alias of the same name."""
    return [
        checks.Warning(
            f"The project has a module of its own where plugins import NetBox's {name} ({origin}): they do not get "
            f'{", ".join(sorted(names))} there. Rename the module, or change the imports of the plugins.',
            id='netbox_jobs_netbox.W001',
        )
        for name, names in aliases.ALIASES.items()
        if names and (origin := _found_elsewhere(name))
    ]


def _found_elsewhere(name: str) -> str:
    """Return the file that Python imports for one of NetBox's modules; empty if that is the alias."""
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError:  # what it is in is no package
        return _found_elsewhere(name.rpartition('.')[0])
    if spec is None or isinstance(spec.loader, aliases.AliasLoader):
        return ''
    return spec.origin or name


@checks.register
def check_order(**kwargs: Any) -> list[checks.CheckMessage]:
    """NetBox's plugins must come after this app: Django imports them in the order of `INSTALLED_APPS`.

    Where nothing else has installed the aliases before, Django does not start, and no check can run.
    """
    before = []
    for config in apps.get_app_configs():
        if config.name == 'netbox_jobs.contrib.netbox':
            break
        if isinstance(config, PluginConfig):
            before.append(config.name)
    return [
        checks.Warning(
            f"The plugin {name} stands before 'netbox_jobs.contrib.netbox' in INSTALLED_APPS: an import of NetBox's "
            'modules in its __init__.py or apps.py fails with "No module named \'netbox\'". Put the plugin after it.',
            id='netbox_jobs_netbox.W002',
        )
        for name in before
    ]


@checks.register
def check_needed_apps(**kwargs: Any) -> list[checks.CheckMessage]:
    """The apps that plugins need must be installed."""
    installed = {config.name for config in apps.get_app_configs()}
    installed |= {f'{type(config).__module__}.{type(config).__qualname__}' for config in apps.get_app_configs()}
    return [
        checks.Error(
            f'The plugin {config.name} needs the app(s) {", ".join(missing)}. Add them to INSTALLED_APPS.',
            id='netbox_jobs_netbox.E001',
        )
        for config in apps.get_app_configs()
        if isinstance(config, PluginConfig) and (missing := [app for app in config.django_apps if app not in installed])
    ]

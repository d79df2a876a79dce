"""`PluginConfig` as NetBox's plugins know it."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from ... import plugins
from .registry import registry

__all__ = ('PluginConfig', 'get_installed_plugins')


class PluginConfig(plugins.PluginConfig):
    """The app configuration of a NetBox plugin.

    Its queues, settings and middleware are in place as soon as Django knows the app. The resources for NetBox's own
    pages, search, GraphQL and events may be named, and are not loaded.

    Raises:
        ImproperlyConfigured: As the class that it extends; or `middleware` is no list of dotted paths.
    """

    default = False

    release_track = ''
    #: Dotted paths; added at the end of `MIDDLEWARE`.
    middleware: ClassVar[list[str]] = []
    #: Apps that the plugin needs. A system check reports those that are not in `INSTALLED_APPS`.
    django_apps: ClassVar[list[str]] = []
    #: Resources of NetBox, which are not loaded.
    data_backends: Any = None
    event_rule_actions: Any = None
    events_pipeline: Any = ()
    graphql_filter_extensions: Any = None
    graphql_schema: Any = None
    graphql_type_extensions: Any = None
    jinja_filters: Any = None
    menu: Any = None
    menu_items: Any = None
    search_indexes: Any = None
    serializer_resolver: Any = None
    template_extensions: Any = None
    user_preferences: Any = None

    def __init__(self, app_name: str, app_module: Any) -> None:
        super().__init__(app_name, app_module)
        self._add_middleware()
        if self.name not in registry['plugins']['installed']:
            registry['plugins']['installed'].append(self.name)

    def _add_middleware(self) -> None:
        own: Any = self.middleware
        if isinstance(own, str | Mapping) or not all(isinstance(path, str) for path in own):
            raise ImproperlyConfigured(f'{self.name}: middleware is {own!r}; expected a list of dotted paths.')
        if missing := [path for path in own if path not in settings.MIDDLEWARE]:
            settings.MIDDLEWARE = [*settings.MIDDLEWARE, *missing]


def get_installed_plugins() -> dict[str, str | None]:
    """Return the versions of the installed plugins by their labels."""
    found = {config.label: config for config in apps.get_app_configs() if isinstance(config, plugins.PluginConfig)}
    return {label: found[label].version or None for label in sorted(found)}

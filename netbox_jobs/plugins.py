"""`PluginConfig`: the app configuration of a plugin, with queues and settings of its own."""

from typing import Any, ClassVar

from django.apps import AppConfig, apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from packaging.version import InvalidVersion, Version

from .core import conf, queues

__all__ = ('PluginConfig', 'get_plugin_config')


class PluginConfig(AppConfig):
    """Subclass it in a plugin's `__init__.py` or `apps.py`, as one does with Django's `AppConfig`.

    Its queues and settings are in place as soon as Django knows the app, wherever it stands in `INSTALLED_APPS`,
    and also where a subclass overrides `ready()` without calling `super()`.

    Raises:
        ImproperlyConfigured: When Django starts: a required setting is missing, a version bound excludes us, or an
            attribute is of the wrong type.
    """

    #: Who made it, and what it is; for people.
    author = ''
    author_email = ''
    description = ''
    version = ''
    #: The path under which the project mounts the plugin's pages, if it follows the plugin's advice.
    base_url: str | None = None
    #: The oldest and newest version of NetBox's job API (we reproduce 4.7) that the plugin works with.
    min_version: str | None = None
    max_version: str | None = None
    #: Names of queues; each becomes `<name>.<queue>`, on the connection of `default` unless `RQ_QUEUES` has it.
    queues: ClassVar[list[str]] = []
    #: Defaults of the plugin's settings in `PLUGINS_CONFIG['<name>']`.
    default_settings: ClassVar[dict[str, Any]] = {}
    #: Names of settings that the project must make.
    required_settings: ClassVar[list[str]] = []

    # Django takes the one configuration class that it finds in an app's apps.py: the plugin's, not this base of it.
    default = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.default = cls.__dict__.get('default', True)

    def __init__(self, app_name: str, app_module: Any) -> None:
        super().__init__(app_name, app_module)
        configured = getattr(settings, 'PLUGINS_CONFIG', {})
        if not isinstance(configured, dict) or not isinstance(configured.get(self.name, {}), dict):
            raise ImproperlyConfigured(
                f"PLUGINS_CONFIG must be a dictionary of dictionaries: {{'{self.name}': {{'setting': value}}}}."
            )
        own = dict(configured.get(self.name, {}))
        self.validate(own, conf.get('NETBOX_VERSION'))
        settings.PLUGINS_CONFIG = {**configured, self.name: own}
        self.complete_settings()
        queues.register_plugin(self.name, self.queues)

    @classmethod
    def validate(cls, user_config: dict[str, Any], netbox_version: str) -> None:
        """Check the plugin against the project, and fill its defaults in; called once, when Django starts.

        Override it to check more, and call `super().validate(user_config, netbox_version)`.

        Args:
            user_config: The plugin's settings in `PLUGINS_CONFIG`, to be completed in place.
            netbox_version: The version of NetBox's job API.

        Raises:
            ImproperlyConfigured: A version bound excludes us, or a required setting is missing.
        """
        cls._check_version(netbox_version)
        cls._check_settings(user_config)
        for setting, value in cls.default_settings.items():
            user_config.setdefault(setting, value)

    def complete_settings(self) -> None:
        """Fill the plugin's defaults in `PLUGINS_CONFIG`, where the project has not set them."""
        configured = getattr(settings, 'PLUGINS_CONFIG', {})
        own = {**self.default_settings, **configured.get(self.name, {})}
        if configured.get(self.name) != own:
            settings.PLUGINS_CONFIG = {**configured, self.name: own}

    @classmethod
    def _check_version(cls, version: str) -> None:
        current, name = Version(version), getattr(cls, 'name', cls.__name__)
        try:
            if cls.min_version is not None and current < Version(cls.min_version):
                raise ImproperlyConfigured(
                    f'{name} needs version {cls.min_version} or later of the NetBox job API; this is {current}.'
                )
            if cls.max_version is not None and current > Version(cls.max_version):
                raise ImproperlyConfigured(
                    f'{name} works with the NetBox job API up to version {cls.max_version}; this is {current}.'
                )
        except (InvalidVersion, TypeError) as error:
            raise ImproperlyConfigured(
                f"{name}: min_version and max_version must be texts such as '4.2.0': {error}"
            ) from error

    @classmethod
    def _check_settings(cls, user_config: dict[str, Any]) -> None:
        name = getattr(cls, 'name', cls.__name__)
        if not isinstance(cls.default_settings, dict):
            raise ImproperlyConfigured(f'{name}: default_settings must be a dictionary.')
        required = cls.required_settings
        if not isinstance(required, list | tuple) or not all(isinstance(setting, str) for setting in required):
            raise ImproperlyConfigured(f'{name}: required_settings must be a list of names.')
        missing = [setting for setting in cls.required_settings if setting not in user_config]
        if missing:
            raise ImproperlyConfigured(
                f'{name} requires the setting(s) {", ".join(missing)} in '
                f"PLUGINS_CONFIG['{name}'] of the project's settings."
            )


def get_plugin_config(plugin: str, name: str, default: Any = None) -> Any:
    """Return a plugin's setting from `PLUGINS_CONFIG`, else its own default, else `default`.

    Args:
        plugin: The plugin's name, as in `INSTALLED_APPS`.
        name: The setting.
        default: What to return if neither the project nor the plugin has it.

    Raises:
        ImproperlyConfigured: There is no such plugin.
    """
    configured = getattr(settings, 'PLUGINS_CONFIG', {})
    if plugin in configured:
        return configured[plugin].get(name, default)
    if any(config.name == plugin for config in apps.get_app_configs()):
        return default
    raise ImproperlyConfigured(
        f'{plugin!r} is not an installed plugin; PLUGINS_CONFIG knows {", ".join(sorted(configured)) or "none"}.'
    )


def on_setting_changed(*, setting: str, **kwargs: Any) -> None:
    """`override_settings()` keeps the plugins' queues and defaults."""
    if setting == 'RQ_QUEUES':
        queues.complete_settings()
    elif setting == 'PLUGINS_CONFIG':
        for config in apps.get_app_configs():
            if isinstance(config, PluginConfig):
                config.complete_settings()

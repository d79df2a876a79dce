from importlib import import_module
from typing import Any

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from . import aliases, configuration


class NetBoxAliasesConfig(AppConfig):
    """Installs the aliases as soon as Django makes this configuration: before it imports the apps that follow.

    Raises:
        ImproperlyConfigured: NetBox itself is installed.
    """

    name = 'netbox_jobs.contrib.netbox'
    label = 'netbox_jobs_netbox'
    verbose_name = _('Job code of NetBox plugins')

    def __init__(self, app_name: str, app_module: Any) -> None:
        super().__init__(app_name, app_module)
        aliases.install()
        configuration.provide_settings()

    def ready(self) -> None:
        # The checks look for modules of the project, which may import models, and so does what follows: now they can.
        import_module(f'{self.name}.checks')
        import_module(f'{self.name}.actions').install()

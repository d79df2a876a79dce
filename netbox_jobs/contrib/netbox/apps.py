from importlib import import_module
from typing import Any

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from . import aliases


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

    def ready(self) -> None:
        # The checks look for modules of the project, which may import models: they are loaded now.
        import_module(f'{self.name}.checks')

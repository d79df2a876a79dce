from importlib import import_module

from django.apps import AppConfig
from django.core.signals import setting_changed
from django.utils.translation import gettext_lazy as _

from . import plugins
from .core import queues

#: Modules that import models, which Django loads before `ready()`. Importing the first three provides the services that
#: `models/services.py` declares, and connects receivers; importing the last registers the system checks.
_AFTER_MODELS = ('lifecycle', 'enqueue', 'execution', 'checks')


class NetBoxJobsConfig(AppConfig):
    """Touches neither the database nor Redis: `migrate` works on an empty database with Redis down."""

    name = 'netbox_jobs'
    verbose_name = _('Background jobs')
    default_auto_field = 'django.db.models.BigAutoField'

    def ready(self) -> None:
        queues.complete_settings()
        setting_changed.connect(plugins.on_setting_changed, dispatch_uid='netbox_jobs.settings')
        for module in _AFTER_MODELS:
            import_module(f'{self.name}.{module}')

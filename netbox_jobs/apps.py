from contextlib import suppress
from importlib import import_module

from django.apps import AppConfig
from django.conf import settings
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
        _import_task_backends()


def _import_task_backends() -> None:
    """Import the backends of Django's tasks: one of ours announces the ends of tasks, in whichever process they are.

    What cannot be imported is left to Django, which says so when it needs it.
    """
    for given in getattr(settings, 'TASKS', {}).values():
        path = str(given.get('BACKEND', '')).rpartition('.')[0]
        if path.partition('.')[0] not in ('', 'django', 'django_tasks'):
            with suppress(ImportError):
                import_module(path)

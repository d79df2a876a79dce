from django.apps import AppConfig
from django.core.signals import setting_changed
from django.db.models.signals import post_delete, pre_delete
from django.utils.translation import gettext_lazy as _


class NetBoxJobsConfig(AppConfig):
    """Touches neither the database nor Redis: `migrate` works on an empty database with Redis down."""

    name = 'netbox_jobs'
    verbose_name = _('Background jobs')
    default_auto_field = 'django.db.models.BigAutoField'

    def ready(self) -> None:
        from . import checks, plugins
        from .core import queues
        from .lifecycle import deletion

        queues.complete_settings()
        setting_changed.connect(plugins.on_setting_changed, dispatch_uid='netbox_jobs.settings')
        job = self.get_model('Job')
        pre_delete.connect(deletion.before_delete, sender=job, dispatch_uid='netbox_jobs.before_delete')
        post_delete.connect(deletion.after_delete, sender=job, dispatch_uid='netbox_jobs.after_delete')
        checks.register()

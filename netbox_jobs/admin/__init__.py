"""Jobs, schedules and workers in Django's admin: pages that update themselves, and actions."""

from django.apps import apps

# Django imports the libraries of template tags, and with them this package, also in a project without the admin.
if apps.is_installed('django.contrib.admin'):
    from .audit import AuditEntryAdmin
    from .jobs import JobAdmin
    from .objects import JobsAdminMixin
    from .schedules import ScheduleAdmin
    from .workers import WorkerAdmin

__all__ = ('AuditEntryAdmin', 'JobAdmin', 'JobsAdminMixin', 'ScheduleAdmin', 'WorkerAdmin')

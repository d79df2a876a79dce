"""Jobs, schedules, workflows and workers in Django's admin: pages that update themselves, and actions."""

from django.apps import apps

# Django imports the libraries of template tags, and with them this package, also in a project without the admin.
if apps.is_installed('django.contrib.admin'):
    from .audit import AuditEntryAdmin
    from .jobs import JobAdmin
    from .objects import JobsAdminMixin
    from .queue_limits import QueueLimitAdmin
    from .schedules import ScheduleAdmin
    from .workers import WorkerAdmin
    from .workflows import WorkflowAdmin

__all__ = (
    'AuditEntryAdmin',
    'JobAdmin',
    'JobsAdminMixin',
    'QueueLimitAdmin',
    'ScheduleAdmin',
    'WorkerAdmin',
    'WorkflowAdmin',
)

"""Jobs, schedules and workers in Django's admin: pages that update themselves, and actions."""

from .jobs import JobAdmin
from .objects import JobsAdminMixin
from .schedules import ScheduleAdmin
from .workers import WorkerAdmin

__all__ = ('JobAdmin', 'JobsAdminMixin', 'ScheduleAdmin', 'WorkerAdmin')

"""Jobs, schedules and workers in Django's admin: live pages to look at them, and to steer them."""

from .jobs import JobAdmin
from .objects import JobsAdminMixin
from .schedules import ScheduleAdmin
from .workers import WorkerAdmin

__all__ = ('JobAdmin', 'JobsAdminMixin', 'ScheduleAdmin', 'WorkerAdmin')

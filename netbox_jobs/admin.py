"""The jobs, schedules and workers in Django's admin, to look at."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from .models import Job, Schedule, Worker


class _ReadOnlyAdmin(admin.ModelAdmin):
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Job)
class JobAdmin(_ReadOnlyAdmin):
    """Jobs, newest first."""

    list_display = ('name', 'status', 'object', 'queue_name', 'user', 'created', 'scheduled', 'duration')
    list_filter = ('status', 'queue_name')
    search_fields = ('name', 'job_id')
    list_select_related = ('object_type', 'user')
    exclude = ('arguments', 'arguments_signature')


@admin.register(Schedule)
class ScheduleAdmin(_ReadOnlyAdmin):
    """What recurs."""

    list_display = ('name', 'object', 'interval', 'queue_name', 'paused', 'suspended')


@admin.register(Worker)
class WorkerAdmin(_ReadOnlyAdmin):
    """Who runs jobs."""

    list_display = ('name', 'host', 'pid', 'queues', 'started')

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

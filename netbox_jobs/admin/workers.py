"""Workers in the admin, with the jobs that each runs."""

from dataclasses import replace
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from ..models import Job, Worker
from ..monitoring.workers import worker_states
from .base import PagesAdmin


@admin.register(Worker)
class WorkerAdmin(PagesAdmin):
    """The workers."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A worker deletes its row when it ends; recovery deletes the row of a dead worker and ends its jobs."""
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """All workers, on one page."""
        self.check_view(request)
        jobs = self.admin_site._registry.get(Job)
        states = worker_states()
        if jobs is None or not jobs.has_view_permission(request):
            states = [replace(state, jobs=[]) for state in states if state.worker is not None]
        template = 'admin/netbox_jobs/worker/list.html'
        return self.render(request, template, _('Workers'), workers=states, **(extra_context or {}))

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        """A worker has no page of its own: show the list."""
        self.find(request, object_id)
        return self.changelist_view(request)

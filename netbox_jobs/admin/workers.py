"""Workers in the admin, with what each does now."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from ..models import Job, Worker
from ..monitoring import overview
from .base import PagesAdmin


@admin.register(Worker)
class WorkerAdmin(PagesAdmin):
    """Who runs jobs."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A worker's row goes when it ends; or when it is found to be dead, with its jobs accounted for."""
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """All of them, on one page."""
        self.check_view(request)
        jobs = self.admin_site._registry.get(Job)
        states = overview.worker_states()
        if jobs is None or not jobs.has_view_permission(request):
            for state in states:
                state.jobs = []
        template = 'admin/netbox_jobs/worker/list.html'
        return self.render(request, template, _('Workers'), workers=states, **(extra_context or {}))

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        """There is no more to a worker than its row in the list."""
        self.find(request, object_id)
        return self.changelist_view(request)

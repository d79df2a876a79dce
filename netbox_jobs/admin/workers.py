"""Workers in the admin, with the jobs that each runs."""

from dataclasses import replace
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.urls import path
from django.utils.translation import gettext as _

from ..core import formatting
from ..models import Job, Worker
from ..monitoring.workers import worker_states
from .base import PagesAdmin


def may_stop(request: HttpRequest) -> bool:
    """Return whether the user may tell workers to leave."""
    user: Any = request.user
    return bool(user.has_perm('netbox_jobs.stop_worker'))


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
        context = {'workers': states, 'may_stop_workers': may_stop(request), **(extra_context or {})}
        return self.render(request, template, _('Workers'), **context)

    def get_urls(self) -> list[Any]:
        """The address of the action, before Django's own."""
        leaving = path('<int:object_id>/leave/', self.page(self.leave_view), name='netbox_jobs_worker_leave')
        return [leaving, *super().get_urls()]

    def leave_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Tell a worker to finish what it runs, and to end."""
        worker: Worker = self.find(request, str(object_id))
        if not may_stop(request):
            raise PermissionDenied
        if request.method != 'POST':
            return HttpResponseNotAllowed(['POST'])
        if worker.leave():
            self.log_change(request, worker, [{'changed': {'fields': ['leaving']}}])
        text = _('The worker %(name)s finishes what it runs, begins no more jobs, and ends.')
        self.notify(request, text % {'name': formatting.cut(worker.name, 100)})
        return self.back(request, self.url('worker_changelist'))

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        """A worker has no page of its own: show the list."""
        self.find(request, object_id)
        return self.changelist_view(request)

"""Jobs in the admin: their list, the page of each, and the overview."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.translation import gettext_lazy as _

from ..models import Job
from ..monitoring import export, permissions, searched
from . import actions, filters
from .action_views import JobActionPages
from .base import notices
from .columns import JobColumns
from .errors import ErrorsPage
from .export import FORMATS, ExportPages
from .job_list import JobChangeList
from .objects import ObjectJobsPage
from .overview import OverviewPage
from .page import JobPage
from .paginator import BoundedPaginator
from .performance import PerformancePage
from .stack import StackPage

#: Milliseconds between two updates of a list with active jobs, and of a list without.
_BUSY, _IDLE = 2000, 15000


@admin.register(Job)
class JobAdmin(
    JobColumns,
    JobPage,
    OverviewPage,
    ErrorsPage,
    PerformancePage,
    StackPage,
    ExportPages,
    ObjectJobsPage,
    JobActionPages,
):
    """Jobs, newest first."""

    list_display: Any = (
        'action_checkbox',
        'status_column',
        'job_column',
        'object_column',
        'queue_column',
        'user_column',
        'created_column',
        'completed_column',
        'duration_column',
    )
    list_display_links = None
    list_filter = (
        filters.StatusFilter,
        filters.WhenFilter,
        filters.QueueFilter,
        filters.RunnerFilter,
        filters.ObjectTypeFilter,
        filters.UserFilter,
        filters.ErrorFilter,
    )
    empty_text = _('There are no jobs yet. Jobs appear here when they are enqueued.')
    search_placeholder = _('Number, ID, name or error')
    search_fields = ('name',)  # get_search_results() decides what is searched
    search_help_text = _(
        'Number, ID, or words of the name, the runner or the error; error:, object: and argument: search one of them '
        'alone'
    )
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50
    list_max_show_all = 50
    paginator = BoundedPaginator

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[JobChangeList]:
        """The list of `job_list`."""
        return JobChangeList

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """See `searched.find()`, whose rows are distinct. The list says how far back it has looked."""
        arguments = permissions.may_see_arguments(request.user)
        found = searched.find(queryset, search_term, request.GET, arguments=arguments)
        request.netbox_jobs_found = found  # type: ignore[attr-defined]
        return found.jobs, False

    def get_urls(self) -> list[Any]:
        """The addresses of this app's pages, before Django's own."""
        own = [
            path('live/', self.fragment(self.live_list_view), name='netbox_jobs_job_live_list'),
            path('bulk/', self.page(self.bulk_view), name='netbox_jobs_job_bulk'),
            *self.overview_urls(),
            *self.error_urls(),
            *self.performance_urls(),
            *self.export_urls(),
            *self.stack_urls(),
            *self.object_urls(),
            *self.page_urls(),
        ]
        return own + super().get_urls()

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list."""
        allowed = [action for action in actions.ACTIONS.values() if action.allowed(request, self)]
        own = {
            'title': _('Jobs'),
            'job_actions': allowed,
            **notices(),
            'live_url': self.with_query(request, 'job_live_list'),
            'exports': [(name.upper(), self.with_query(request, f'job_export_{name}')) for name in FORMATS],
            'most_exported': export.MOST,
            'live_busy': _BUSY,
            'live_idle': _IDLE,
        }
        return super().changelist_view(request, {**own, **(extra_context or {})})

    def live_list_view(self, request: HttpRequest) -> HttpResponse:
        """The part of the list that updates itself."""
        response: Any = self.changelist_view(request)
        if hasattr(response, 'template_name'):
            response.template_name = 'admin/netbox_jobs/job/list_body.html'
        return response

"""The audit trail in the admin: a list with filters, which cannot be edited."""

from typing import Any

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..core import actors, formatting
from ..models import AuditEntry
from ..monitoring import audit
from . import markup
from .base import PagesAdmin, notices
from .filters import ChoiceFilter
from .paginator import BoundedPaginator

#: The pages of objects, by their type in the trail.
_PAGES = {
    'job': 'admin:netbox_jobs_job_change',
    'schedule': 'admin:netbox_jobs_schedule_change',
    'workflow': 'admin:netbox_jobs_workflow_change',
}


class FaceFilter(admin.SimpleListFilter):
    """By the interface. No entry is read to find the choices."""

    title = gettext_lazy('interface')
    parameter_name = 'face'
    template = 'admin/netbox_jobs/job/filter.html'

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [(face, face) for face in actors.FACES]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset if self.value() is None else queryset.filter(face=self.value())


@admin.register(AuditEntry)
class AuditEntryAdmin(PagesAdmin):
    """The actions of people, the newest first."""

    list_display: Any = ('created_column', 'actor_column', 'action', 'object_column', 'changes_column')
    list_display_links = None
    list_filter = (('action', ChoiceFilter), ('object_type', ChoiceFilter), FaceFilter)
    search_fields = ('=object_id', '=actor')
    search_help_text = gettext_lazy('The ID of a job or a schedule, the name of a queue, or a user name')
    search_placeholder = gettext_lazy('ID, queue or user name')
    empty_text = gettext_lazy('No one has changed anything yet.')
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False
    sortable_by = ()
    ordering = ('-pk',)
    list_per_page = 50
    list_max_show_all = 50
    paginator = BoundedPaginator

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Entries are deleted by retention alone."""
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list."""
        return super().changelist_view(request, {'title': _('Audit trail'), **notices(), **(extra_context or {})})

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        """An entry has no page of its own."""
        self.check_view(request)
        raise Http404

    @admin.display(description=gettext_lazy('time'))
    def created_column(self, entry: AuditEntry) -> SafeString | str:
        """When it was."""
        return markup.moment(entry.created)

    @admin.display(description=gettext_lazy('by'))
    def actor_column(self, entry: AuditEntry) -> SafeString:
        """Who it was, and through which interface."""
        return format_html(
            '<bdi>{}</bdi> <span class="nj-quiet">{}</span>', formatting.cut(entry.actor, 100), entry.face
        )

    @admin.display(description=gettext_lazy('object'))
    def object_column(self, entry: AuditEntry) -> SafeString:
        """What it was done to; linked, if it has a page."""
        kind = entry.get_object_type_display()
        if not entry.object_id:
            return format_html('{} <span class="nj-quiet">x {}</span>', kind, formatting.number(entry.count))
        name = formatting.cut(entry.object_name, 80)
        try:
            address = reverse(_PAGES[entry.object_type], args=(entry.object_id,), current_app=self.admin_site.name)
        except (KeyError, NoReverseMatch):
            return format_html('{} <bdi>{}</bdi>', kind, name or entry.object_id)
        return format_html('{} <a href="{}">#{} <bdi>{}</bdi></a>', kind, address, entry.object_id, name)

    @admin.display(description=gettext_lazy('change'), empty_value=markup.NONE)
    def changes_column(self, entry: AuditEntry) -> SafeString | None:
        """What it changed."""
        text = formatting.cut(audit.changes(entry), 300)
        return format_html('<bdi>{}</bdi>', text) if text else None

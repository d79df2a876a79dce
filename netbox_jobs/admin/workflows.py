"""Workflows in the admin: their list, the page of each with its graph, and the actions on them."""

from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.urls import path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..choices import WorkflowStatusChoices
from ..core import formatting
from ..exceptions import NetBoxJobsError
from ..models import Job, Workflow
from ..monitoring import related, workflows
from . import graph, markup
from .base import PagesAdmin, notices
from .filters import ChoiceFilter
from .paginator import BoundedPaginator

#: Milliseconds between two updates of the page of a workflow that runs, and of the list.
_BUSY, _IDLE = 2000, 5000
#: The actions, with the permissions that they need.
ACTIONS = {'cancel': 'netbox_jobs.cancel_workflow', 'retry': 'netbox_jobs.retry_workflow'}


class WorkflowChangeList(ChangeList):
    """A page of workflows with their progress and users."""

    def get_results(self, request: HttpRequest) -> None:
        """Read one page of rows."""
        super().get_results(request)
        self.result_list: Any = list(self.result_list)
        counts = workflows.counts(self.result_list, None)
        related.attach_users(self.result_list)
        for workflow in self.result_list:
            workflow.related_counts = counts[workflow.pk]


@admin.register(Workflow)
class WorkflowAdmin(PagesAdmin):
    """The workflows, newest first."""

    list_display: Any = (
        'name_column',
        'status_column',
        'progress_column',
        'user_column',
        'created_column',
        'end_column',
    )
    list_display_links = None
    list_filter = (('status', ChoiceFilter),)
    list_per_page = 50
    list_max_show_all = 50
    ordering = ('-created', '-pk')
    sortable_by = ()
    search_fields = ('name',)
    search_placeholder = gettext_lazy('Name')
    empty_text = gettext_lazy('There are no workflows. They appear here when code begins one.')
    paginator = BoundedPaginator
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[WorkflowChangeList]:
        """The list."""
        return WorkflowChangeList

    def get_urls(self) -> list[Any]:
        """The addresses of the actions and of the part that updates itself, before Django's own."""
        own = [
            path(
                f'<int:object_id>/{action}/',
                self.page(partial(self.action_view, action=action)),
                name=f'netbox_jobs_workflow_{action}',
            )
            for action in ACTIONS
        ]
        live = [
            path('live/', self.fragment(self.live_list_view), name='netbox_jobs_workflow_live_list'),
            path('<int:object_id>/live/', self.fragment(self.live_view), name='netbox_jobs_workflow_live'),
        ]
        return [*live, *own, *super().get_urls()]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A workflow is deleted by retention, after its jobs."""
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list."""
        own = {'live_url': self.with_query(request, 'workflow_live_list'), 'live_every': _IDLE}
        return super().changelist_view(request, {'title': _('Workflows'), **own, **notices(), **(extra_context or {})})

    def live_list_view(self, request: HttpRequest) -> HttpResponse:
        """The part of the list that updates itself."""
        response: Any = self.changelist_view(request)
        if hasattr(response, 'template_name'):
            response.template_name = 'admin/netbox_jobs/workflow/list_body.html'
        return response

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = '', extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The page of a workflow."""
        workflow: Workflow = self.find(request, object_id)
        context = self._state(request, workflow)
        return self.render(request, 'admin/netbox_jobs/workflow/page.html', formatting.cut(workflow, 200), **context)

    def live_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """The part of the page that updates itself."""
        context = self._state(request, self.find(request, str(object_id)))
        return self.render(request, 'admin/netbox_jobs/workflow/state.html', '', **context)

    def _state(self, request: HttpRequest, workflow: Workflow) -> dict[str, Any]:
        state = workflows.state_of(workflow)
        related.attach_users([workflow])
        jobs = self.admin_site._registry.get(Job)
        linked = jobs is not None and jobs.has_view_permission(request)
        if not linked:
            for member in (*state.members, *state.callbacks):
                member.job = None
        url = partial(self.url, 'job_change')
        return {
            'workflow': workflow,
            'counts': state.counts,
            'members': state.members,
            'callbacks': state.callbacks,
            'more': state.counts.total - len(state.members),
            'graph': graph.graph(state.members, url) if state.complete else '',
            'may_cancel': self._may(request, 'cancel') and not workflow.ended and not workflow.ending,
            'may_retry': self._may(request, 'retry')
            and workflow.status in (WorkflowStatusChoices.STATUS_FAILED, WorkflowStatusChoices.STATUS_CANCELED),
            'live_every': None if workflow.ended else _BUSY,
        }

    def action_view(self, request: HttpRequest, object_id: int, action: str) -> HttpResponse:
        """Cancel or retry a workflow."""
        workflow: Workflow = self.find(request, str(object_id))
        if not self._may(request, action):
            raise PermissionDenied
        if request.method != 'POST':
            return HttpResponseNotAllowed(['POST'])
        name = {'name': formatting.cut(workflow, 100)}
        self.log_change(request, workflow, [{'changed': {'name': action, 'object': str(workflow.pk)}}])
        if action == 'cancel':
            done = workflow.cancel()
            text = _('The workflow "%(name)s" is being canceled.') if done else _('The workflow "%(name)s" has ended.')
            self.notify(request, text % name, messages.SUCCESS if done else messages.WARNING)
        else:
            try:
                number = len(workflow.retry())
                text = _('%(number)s jobs of the workflow "%(name)s" were enqueued again.')
                self.notify(request, text % {**name, 'number': formatting.number(number)})
            except (ValueError, TypeError, NetBoxJobsError) as error:
                self.notify(request, formatting.first_line(error, 300), messages.WARNING)
        return self.back(request, self.url('workflow_change', workflow.pk))

    def _may(self, request: HttpRequest, action: str) -> bool:
        user: Any = request.user
        return bool(user.has_perm(ACTIONS[action]))

    # Columns

    @admin.display(description=gettext_lazy('workflow'))
    def name_column(self, workflow: Workflow) -> SafeString:
        """The name, linked."""
        return format_html(
            '<a class="nj-name" href="{}"><bdi>{}</bdi></a> <span class="nj-quiet">#{}</span>',
            self.url('workflow_change', workflow.pk),
            formatting.cut(workflow.name, 100),
            workflow.pk,
        )

    @admin.display(description=gettext_lazy('status'))
    def status_column(self, workflow: Workflow) -> SafeString:
        """The status."""
        return markup.status(workflow.status, bool(workflow.ending) and not workflow.ended)

    @admin.display(description=gettext_lazy('progress'))
    def progress_column(self, workflow: Any) -> str:
        """How many members have ended."""
        counts = workflow.related_counts
        return _('%(done)s of %(total)s') % {
            'done': formatting.number(counts.done),
            'total': formatting.number(counts.total),
        }

    @admin.display(description=gettext_lazy('user'), empty_value=markup.NONE)
    def user_column(self, workflow: Any) -> Any:
        """The user."""
        return workflow.related_user

    @admin.display(description=gettext_lazy('created'))
    def created_column(self, workflow: Workflow) -> Any:
        """When it was made."""
        return markup.moment(workflow.created)

    @admin.display(description=gettext_lazy('ended'), empty_value=markup.NONE)
    def end_column(self, workflow: Workflow) -> Any:
        """When it ended."""
        return markup.moment(workflow.completed) or None

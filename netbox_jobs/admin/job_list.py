"""The list of jobs, sorted by an index, with the users, objects and progress of its rows."""

from typing import Any

from django.contrib.admin.views.main import ORDER_VAR, PAGE_VAR, SEARCH_VAR, ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest

from ..choices import JobStatusChoices
from ..monitoring import job_filters, related
from ..monitoring.searched import Found
from . import markup

#: What the columns sort by. The keys of jobs ascend in the order of creation.
_ORDERS = {'created': 'pk', 'completed': 'completed'}


class JobChangeList(ChangeList):
    """A page of jobs that reads a bounded number of index entries."""

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> 'QuerySet[Any]':
        """Return the filtered jobs without their large fields."""
        jobs = related.defer_large_fields(super().get_queryset(request, exclude_parameters))
        self.found: Found | None = getattr(request, 'netbox_jobs_found', None)
        return jobs

    @property
    def earlier_url(self) -> str:
        """The address of the search among earlier jobs; empty if this one has compared all."""
        if self.found is None or self.found.earlier is None:
            return ''
        return self.get_query_string({SEARCH_VAR: self.found.earlier_term(self.query)}, remove=[PAGE_VAR])

    def get_ordering(self, request: HttpRequest, queryset: 'QuerySet[Any]') -> list[Any]:
        """Sort by one column: no database serves two columns from one index in every direction."""
        place, _, column = str(self.params.get(ORDER_VAR, '')).rpartition('-')
        try:
            name = _ORDERS.get(str(self.list_display[int(column)]).removesuffix('_column'))
        except (ValueError, IndexError):
            name = None
        if name is not None:
            return [f'-{name}' if place == '' and str(self.params[ORDER_VAR]).startswith('-') else name]
        return [job_filters.order(request.GET)]

    def get_ordering_field_columns(self) -> dict[int, Any]:
        """Mark no column as sorted until the user sorts."""
        return super().get_ordering_field_columns() if ORDER_VAR in self.params else {}

    def get_results(self, request: HttpRequest) -> None:
        """Read one page of rows."""
        super().get_results(request)
        self.result_list: Any = list(self.result_list)
        related.attach(self.result_list)
        for job in self.result_list:
            job.object_link = markup.object_link(self.model_admin.admin_site, request, job)

    @property
    def active(self) -> bool:
        """Whether a job on this page runs, or may start at any moment."""
        active = (JobStatusChoices.STATUS_RUNNING, JobStatusChoices.STATUS_PENDING)
        return any(job.status in active for job in self.result_list)

    def spec(self, parameter: str) -> Any:
        """The filter of this parameter."""
        specs: list[Any] = self.filter_specs
        return next((spec for spec in specs if spec.parameter_name == parameter), None)

    @property
    def tabs(self) -> list[dict[str, Any]]:
        """The statuses, as links."""
        return self.spec('status').tabs(self)

    @property
    def dates(self) -> dict[str, Any]:
        """The links to dates."""
        return self.spec('when').steps(self)

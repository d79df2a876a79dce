"""The list of jobs, sorted by an index, with the users, objects and progress of its rows."""

from typing import Any
from uuid import UUID

from django.contrib.admin.views.main import ORDER_VAR, ChangeList
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from ..choices import JobStatusChoices
from ..models import Job
from ..monitoring import related
from . import filters, markup

#: Among how many of the newest jobs (of the chosen period) names are searched.
SEARCHED = 100_000
#: What the columns sort by. The keys of jobs ascend in the order of creation.
_ORDERS = {'created': 'pk', 'completed': 'completed'}


class JobChangeList(ChangeList):
    """A page of jobs that reads a bounded number of index entries."""

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> 'QuerySet[Any]':
        """Return the filtered jobs without their large fields."""
        return related.defer_large_fields(super().get_queryset(request, exclude_parameters))

    def get_ordering(self, request: HttpRequest, queryset: 'QuerySet[Any]') -> list[Any]:
        """Sort by one column: no database serves two columns from one index in every direction."""
        place, _, column = str(self.params.get(ORDER_VAR, '')).rpartition('-')
        try:
            name = _ORDERS.get(str(self.list_display[int(column)]).removesuffix('_column'))
        except (ValueError, IndexError):
            name = None
        if name is not None:
            return [f'-{name}' if place == '' and str(self.params[ORDER_VAR]).startswith('-') else name]
        bounds = filters.period(request.GET.get('when'))
        if bounds is not None and bounds[1] is not None:
            return ['-created']  # by the key, all newer jobs would be read first
        # For one status, the index on status and due has this order.
        return ['-due'] if request.GET.get('status') in JobStatusChoices.values() else ['-pk']

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
    def capped(self) -> bool:
        """Whether there are more rows than can be paged through."""
        return bool(self.paginator.capped)

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


def search(request: HttpRequest, queryset: 'QuerySet[Job]', term: str) -> 'QuerySet[Job]':
    """Return the jobs with a number, with an ID, or with all the words in their name or their runner.

    No index has names, so only the newest `SEARCHED` jobs are compared.
    """
    term = term.replace('\x00', '').strip()
    if not term:
        return queryset
    number = term.removeprefix('#')
    if number.isascii() and number.isdigit() and len(number) < 19:
        return queryset.filter(pk=int(number))
    try:
        return queryset.filter(job_id=UUID(term))
    except ValueError:
        pass
    bounds = filters.period(request.GET.get('when'))
    newest = Job.objects.using(queryset.db).order_by('-pk' if bounds is None or bounds[1] is None else '-created')
    if bounds is not None and bounds[1] is not None:
        newest = newest.filter(created__lt=bounds[1])
    top = newest.values_list('pk', flat=True).first()
    if top is None:
        return queryset.none()
    # A little beyond, because an earlier transaction need not have the lower key.
    queryset = queryset.filter(pk__gt=top - SEARCHED, pk__lt=top + 1000)
    for word in term.split()[:10]:
        queryset = queryset.filter(Q(name__icontains=word) | Q(runner__icontains=word))
    return queryset

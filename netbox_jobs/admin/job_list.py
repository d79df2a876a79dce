"""The list of jobs: sorted by what an index sorts, and dressed with what its rows show."""

from typing import Any
from uuid import UUID

from django.contrib.admin.views.main import ORDER_VAR, ChangeList
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from ..choices import JobStatusChoices
from ..models import Job
from . import filters, marks, rows

#: Names are searched among so many of the newest jobs (of those that were created in the time that is chosen).
SEARCHED = 100_000
#: What the columns sort by. Keys of jobs ascend as they are created.
_ORDERS = {'created': 'pk', 'completed': 'completed'}


class JobChangeList(ChangeList):
    """A page of jobs, for a bounded number of index entries read."""

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> 'QuerySet[Any]':
        """As `ChangeList` has it, without what no list shows."""
        return rows.light(super().get_queryset(request, exclude_parameters))

    def get_ordering(self, request: HttpRequest, queryset: 'QuerySet[Any]') -> list[Any]:
        """By one column alone: no database serves two from one index in every direction."""
        place, _, column = str(self.params.get(ORDER_VAR, '')).rpartition('-')
        try:
            name = _ORDERS.get(str(self.list_display[int(column)]).removesuffix('_shown'))
        except (ValueError, IndexError):
            name = None
        if name is not None:
            return [f'-{name}' if place == '' and str(self.params[ORDER_VAR]).startswith('-') else name]
        bounds = filters.period(request.GET.get('when'))
        if bounds is not None and bounds[1] is not None:
            return ['-created']  # by the key, all that is newer would be read first
        # Of one status, the index on status and due has them in order already.
        return ['-due'] if request.GET.get('status') in JobStatusChoices.values() else ['-pk']

    def get_ordering_field_columns(self) -> dict[int, Any]:
        """Nothing is marked as sorted until somebody sorts."""
        return super().get_ordering_field_columns() if ORDER_VAR in self.params else {}

    def get_results(self, request: HttpRequest) -> None:
        """One page; see `ChangeList`."""
        super().get_results(request)
        self.result_list: Any = list(self.result_list)
        rows.dress(self.result_list)
        for job in self.result_list:
            job.shown_about = marks.about(self.model_admin.admin_site, request, job)

    @property
    def capped(self) -> bool:
        """Whether there are more rows than can be paged through."""
        return bool(self.paginator.capped)

    @property
    def moving(self) -> bool:
        """Whether something on this page runs, or may at any moment."""
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
        """The way into the dates."""
        return self.spec('when').steps(self)


def search(request: HttpRequest, queryset: 'QuerySet[Job]', term: str) -> 'QuerySet[Job]':
    """The jobs of a number, of an id, or with all the words in their name or in their runner's.

    Names are in no index, so that they are compared among the newest `SEARCHED` jobs only.
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
    # A little beyond, since who begins first need not get the lower key.
    queryset = queryset.filter(pk__gt=top - SEARCHED, pk__lt=top + 1000)
    for word in term.split()[:10]:
        queryset = queryset.filter(Q(name__icontains=word) | Q(runner__icontains=word))
    return queryset

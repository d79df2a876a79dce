"""The filters of the list of jobs: those of the admin, by the names of the fields."""

from typing import Any

import django_filters
from django.contrib.contenttypes.models import ContentType
from django_filters import rest_framework
from django_filters.utils import translate_validation

from ...choices import JobStatusChoices
from ...models import Job, database
from ...monitoring import job_filters, permissions, searched
from .pagination import Order
from .problems import BadQuery


class Backend(rest_framework.DjangoFilterBackend):
    """Names the parameters that are not acceptable."""

    def get_filterset_kwargs(self, request: Any, queryset: Any, view: Any) -> Any:
        """Leave out the filter that the order leads with."""
        found = super().get_filterset_kwargs(request, queryset, view)
        leading = order(request.query_params).leading
        names = {path: name for name, path in job_filters.FIELDS.items()}
        found['data'] = found['data'].copy()
        if leading is not None:
            del found['data'][names[leading[0]]]
        return found

    def filter_queryset(self, request: Any, queryset: Any, view: Any) -> Any:
        """Return the rows that match."""
        filterset = self.get_filterset(request, queryset, view)
        if not filterset.is_valid():
            raise BadQuery(translate_validation(filterset.errors).detail)
        return filterset.qs


class JobFilterSet(rest_framework.FilterSet):
    """Which jobs are listed."""

    status = django_filters.MultipleChoiceFilter(choices=JobStatusChoices.CHOICES, label='One of these statuses')
    runner = django_filters.CharFilter(method='with_value', label='The path of the runner')
    queue = django_filters.CharFilter(method='with_value', label='The name of the queue')
    user = django_filters.CharFilter(method='with_value', label='The key of the user')
    error = django_filters.CharFilter(method='with_value', label='The fingerprint of the error')
    object_type = django_filters.CharFilter(method='about', label='The model of the object, such as app.model')
    object_id = django_filters.CharFilter(method='about', label='The key of the object; with `object_type`')
    when = django_filters.CharFilter(
        method='created_in', label='When it was created: 1h, 24h, 7d, or a year, a month or a day, such as 2026-01-31'
    )
    created_from = rest_framework.IsoDateTimeFilter(
        field_name='created', lookup_expr='gte', label='Created then or later'
    )
    created_before = rest_framework.IsoDateTimeFilter(
        field_name='created', lookup_expr='lt', label='Created earlier than that'
    )
    ended_from = rest_framework.IsoDateTimeFilter(
        field_name='completed', lookup_expr='gte', label='Ended then or later'
    )
    q = django_filters.CharFilter(
        method='search',
        label='A number, an ID, or words of the name, the runner or the error (among the newest 5,000 jobs); error:, '
        'object: and argument: search one of them alone; before: searches the jobs before the one with this number',
    )

    class Meta:
        model = Job
        fields: tuple[str, ...] = ()

    def with_value(self, queryset: Any, name: str, value: str) -> Any:
        """By one value."""
        return job_filters.with_value(queryset, name, value)

    def about(self, queryset: Any, name: str, value: str) -> Any:
        """By the object; called for each of the two parameters, which belong together."""
        text = about(self.data)
        return job_filters.about(queryset, text) if text else queryset.none()

    def created_in(self, queryset: Any, name: str, value: str) -> Any:
        """By a period."""
        return job_filters.created_in(queryset, value)

    def search(self, queryset: Any, name: str, value: str) -> Any:
        """By number, ID or words; see `monitoring.search`."""
        arguments = permissions.may_see_arguments(self.request.user)
        return searched.find(queryset, value, order_filters(self.data), arguments=arguments).jobs


def about(given: Any) -> str:
    """Return the type and the key of an object in the form of `job_filters.about()`; empty if there is no such type."""
    app_label, _dot, model = given.get('object_type', '').lower().partition('.')
    types = ContentType.objects.db_manager(database())
    try:
        kind = types.get_by_natural_key(app_label, model)
    except ContentType.DoesNotExist:
        return ''
    key = given.get('object_id', '')
    return f'{kind.pk}:{key}' if key else str(kind.pk)


def order_filters(given: Any) -> dict[str, str]:
    """Return those of the parameters that decide the order, as `job_filters.order()` takes them."""
    statuses = given.getlist('status')
    return {
        'when': given.get('when', ''),
        'error': given.get('error', ''),
        'about': about(given) if given.get('object_type') and given.get('object_id') else '',
        'status': statuses[0] if len(statuses) == 1 else '',
    }


def order(given: Any) -> Order:
    """Return by what a list with these parameters is sorted; see `job_filters.order()`.

    The one status, or the error, that it leads with is no filter any more.
    """
    found, error = order_filters(given), given.get('error', '')
    about_one = ':' in found['about']
    by = job_filters.order(found).removeprefix('-')
    if by == 'pk' and given.get('created_before'):
        by = 'created'
    leading = {'due': ('status', found['status']), 'completed': (job_filters.FIELDS['error'], error)}.get(by)
    # Of one time of creation, the index has the keys in ascending order, unless it is that of an object.
    return Order(by, True, by != 'created' or about_one, leading)

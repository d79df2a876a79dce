"""The filters of the list of jobs. Reading their choices costs the same whatever the number of jobs."""

from datetime import date, datetime, timedelta
from typing import Any

from django.contrib.admin import ChoicesFieldListFilter, SimpleListFilter
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db import router
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy

from ..choices import JobStatusChoices
from ..core import contexts, formatting
from ..core import errors as texts
from ..models import Job, database
from ..monitoring import counts, errors, job_filters, queues, related
from .paginator import LIMIT

#: How many choices are offered; links in the list lead to others.
CHOICES = 50


class JobFilter(SimpleListFilter):
    """A filter by one of `job_filters.FIELDS`, which its parameter names."""

    on_top = False
    template = 'admin/netbox_jobs/job/filter.html'

    @property
    def unlisted(self) -> str:
        """The value that the list is filtered by, if it is none of the choices."""
        value = self.value()
        return '' if value is None or value in dict(self.lookup_choices) else formatting.cut(value, 40)

    def queryset(self, request: Any, queryset: 'QuerySet[Job]') -> 'QuerySet[Job]':
        value = self.value()
        return queryset if value is None else job_filters.with_value(queryset, self.parameter_name, str(value))  # type: ignore[arg-type]

    def has_output(self) -> bool:
        return bool(self.lookup_choices) or self.value() is not None


class ChoiceFilter(ChoicesFieldListFilter):
    """By a field with choices."""

    template = 'admin/netbox_jobs/job/filter.html'

    @property
    def parameter_name(self) -> str:
        """What the filter is called in the page."""
        return self.field_path


class StatusFilter(JobFilter):
    """By status, with the number of jobs in each, up to the paginator's limit."""

    title = gettext_lazy('status')
    parameter_name = 'status'
    on_top = True

    def lookups(self, request: Any, model_admin: Any) -> Any:
        return JobStatusChoices.CHOICES

    def tabs(self, changelist: Any) -> list[dict[str, Any]]:
        """Return the statuses as links, with numbers of jobs unless another filter is active."""
        others = [spec for spec in changelist.filter_specs if spec is not self and spec.value() is not None]
        numbers = {} if others or changelist.query else _numbers()
        tabs = []
        for choice, (value, _label) in zip(
            self.choices(changelist), [('', ''), *JobStatusChoices.CHOICES], strict=True
        ):
            number = numbers.get(value)
            text = None if number is None else formatting.capped(number, LIMIT)
            tabs.append({**choice, 'value': value, 'number': text})
        return tabs


def _numbers() -> dict[str, int]:
    jobs = Job.objects.using(database())
    return counts.counts({value: jobs.filter(status=value) for value in JobStatusChoices.values()}, LIMIT)


class RunnerFilter(JobFilter):
    """By runner."""

    title = gettext_lazy('runner')
    parameter_name = 'runner'

    def lookups(self, request: Any, model_admin: Any) -> Any:
        paths = [path for path in counts.values('runner') if path]
        names = [formatting.class_name(path) for path in paths]
        return [(path, name if names.count(name) == 1 else path) for path, name in zip(paths, names, strict=True)]


class QueueFilter(JobFilter):
    """By queue: the configured ones, and others that have jobs."""

    title = gettext_lazy('queue')
    parameter_name = 'queue'

    def lookups(self, request: Any, model_admin: Any) -> Any:
        return [(name, name) for name in queues.queue_names()]


class UserFilter(JobFilter):
    """By user."""

    title = gettext_lazy('user')
    parameter_name = 'user'

    def lookups(self, request: Any, model_admin: Any) -> Any:
        users: Any = get_user_model()
        ids = counts.values('user', CHOICES)
        found = users._base_manager.using(router.db_for_read(users)).in_bulk(ids) if ids else {}
        return sorted(((str(pk), formatting.cut(user, 40)) for pk, user in found.items()), key=lambda choice: choice[1])


class ErrorFilter(JobFilter):
    """By the fingerprint of the error; the page of errors links to it."""

    title = gettext_lazy('error')
    parameter_name = 'error'

    def lookups(self, request: Any, model_admin: Any) -> Any:
        job = errors.example(str(self.value())[:16]) if self.value() else None
        return [(job.fingerprint, texts.line(job.error, 40))] if job is not None else []


class ObjectTypeFilter(JobFilter):
    """By the type of the object; or by one object, as the key of its type, a colon, and its key."""

    title = gettext_lazy('object type')
    parameter_name = 'about'

    def lookups(self, request: Any, model_admin: Any) -> Any:
        found = ContentType.objects.db_manager(database()).in_bulk(counts.values('object_type', CHOICES))
        return sorted(((str(pk), kind.name) for pk, kind in found.items()), key=lambda choice: choice[1])

    @property
    def unlisted(self) -> str:
        """The type and the name of the object, if the list is filtered by one."""
        kind, _colon, key = str(self.value() or '').partition(':')
        found = ContentType.objects.db_manager(database()).filter(pk=kind) if key and kind.isdecimal() else ()
        if len(kind) > 9 or not found:
            return super().unlisted
        job: Any = Job(object_type_id=int(kind), object_id=key, tenant=contexts.current_tenant())
        related.attach_objects([job])
        return formatting.cut(f'{job.related_type} {job.related_object or key}', 60)

    def queryset(self, request: Any, queryset: 'QuerySet[Job]') -> 'QuerySet[Job]':
        value = self.value()
        return queryset if value is None else job_filters.about(queryset, str(value))  # type: ignore[arg-type]


class WhenFilter(JobFilter):
    """By the time of creation: a latest period, a year, a month, or a day."""

    title = gettext_lazy('date')
    parameter_name = 'when'
    on_top = True

    def lookups(self, request: Any, model_admin: Any) -> Any:
        return [(key, label) for key, (_length, label) in job_filters.RECENT.items()]

    def queryset(self, request: Any, queryset: 'QuerySet[Job]') -> 'QuerySet[Job]':
        value = self.value()
        return queryset if value is None else job_filters.created_in(queryset, str(value))  # type: ignore[arg-type]

    def steps(self, changelist: Any) -> dict[str, Any]:
        """Return the links to dates: `recent` periods, the `path` to the chosen date, and the `choices` below it."""
        value = self.value() or ''
        parts = [] if value in job_filters.RECENT else value.split('-') if job_filters.period(value) else []
        path = [
            _step(changelist, '-'.join(parts[:end]), '-'.join(parts) if end == len(parts) else '')
            for end in range(1, len(parts) + 1)
        ]
        return {
            'all': changelist.get_query_string(remove=[self.parameter_name]),
            'recent': [
                {
                    'display': label,
                    'selected': key == value,
                    'url': changelist.get_query_string({self.parameter_name: key}),
                }
                for key, (_length, label) in job_filters.RECENT.items()
            ],
            'path': path,
            'choices': [_step(changelist, choice, value) for choice in _below(parts)],
            'any': not value,
        }


def _step(changelist: Any, value: str, selected: str) -> dict[str, Any]:
    return {
        'display': _name(value),
        'selected': value == selected,
        'url': changelist.get_query_string({WhenFilter.parameter_name: value}),
    }


def _name(value: str) -> str:
    numbers = [int(part) for part in value.split('-')]
    if len(numbers) == 1:
        return str(numbers[0])
    if len(numbers) == 2:
        return date_format(date(numbers[0], numbers[1], 1), 'F')
    return str(numbers[2])


def _below(parts: list[str]) -> list[str]:
    """Return the years, months or days between the oldest and the newest job."""
    if len(parts) == 3:
        return []
    jobs = Job.objects.using(database())
    first = jobs.order_by('created').values_list('created', flat=True).first()
    last = jobs.order_by('-created').values_list('created', flat=True).first()
    if first is None or last is None:
        return []
    oldest, newest = _day(first), _day(last)
    if not parts:
        return [str(year) for year in range(oldest.year, newest.year + 1)][-12:]
    year = int(parts[0])
    if len(parts) == 1:
        months = [date(year, month, 1) for month in range(1, 13)]
        return [
            f'{day:%Y-%m}'
            for day in months
            if (oldest.year, oldest.month) <= (year, day.month) <= (newest.year, newest.month)
        ]
    days = (date(year, int(parts[1]), 1) + timedelta(days=number) for number in range(31))
    return [f'{day:%Y-%m-%d}' for day in days if day.month == int(parts[1]) and oldest <= day <= newest]


def _day(moment: datetime) -> date:
    return timezone.localtime(moment).date() if timezone.is_aware(moment) else moment.date()

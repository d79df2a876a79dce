"""The filters of the list of jobs. Reading their choices costs the same whatever the number of jobs."""

from datetime import date, datetime, timedelta
from typing import Any

from django.contrib.admin import SimpleListFilter
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db import router
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy

from ..choices import JobStatusChoices
from ..core import errors as texts
from ..core import formatting
from ..models import Job, database
from ..monitoring import counts, errors, queues
from .paginator import LIMIT

#: How many choices are offered; links in the list lead to others.
CHOICES = 50


class JobFilter(SimpleListFilter):
    """A filter by the value of one column."""

    field = ''
    on_top = False
    template = 'admin/netbox_jobs/job/filter.html'

    @property
    def unlisted(self) -> str:
        """The value that the list is filtered by, if it is none of the choices."""
        value = self.value()
        return '' if value is None or value in dict(self.lookup_choices) else formatting.cut(value, 40)

    def queryset(self, request: Any, queryset: 'QuerySet[Job]') -> 'QuerySet[Job]':
        return queryset if self.value() is None else queryset.filter(**{self.field: self.value()})

    def has_output(self) -> bool:
        return bool(self.lookup_choices) or self.value() is not None


class StatusFilter(JobFilter):
    """By status, with the number of jobs in each, up to the paginator's limit."""

    title = gettext_lazy('status')
    parameter_name = field = 'status'
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
    parameter_name = field = 'runner'

    def lookups(self, request: Any, model_admin: Any) -> Any:
        paths = [path for path in counts.values('runner') if path]
        names = [formatting.class_name(path) for path in paths]
        return [(path, name if names.count(name) == 1 else path) for path, name in zip(paths, names, strict=True)]


class QueueFilter(JobFilter):
    """By queue: the configured ones, and others that have jobs."""

    title = gettext_lazy('queue')
    parameter_name = 'queue'
    field = 'queue_name'

    def lookups(self, request: Any, model_admin: Any) -> Any:
        return [(name, name) for name in queues.queue_names()]


class UserFilter(JobFilter):
    """By user."""

    title = gettext_lazy('user')
    parameter_name = 'user'
    field = 'user_id'

    def lookups(self, request: Any, model_admin: Any) -> Any:
        users: Any = get_user_model()
        ids = counts.values('user', CHOICES)
        found = users._base_manager.using(router.db_for_read(users)).in_bulk(ids) if ids else {}
        return sorted(((str(pk), formatting.cut(user, 40)) for pk, user in found.items()), key=lambda choice: choice[1])

    def queryset(self, request: Any, queryset: 'QuerySet[Job]') -> 'QuerySet[Job]':
        try:
            return super().queryset(request, queryset)
        except (ValueError, TypeError):
            return queryset.none()


class ErrorFilter(JobFilter):
    """By the fingerprint of the error; the page of errors links to it."""

    title = gettext_lazy('error')
    parameter_name = 'error'
    field = 'fingerprint'

    def lookups(self, request: Any, model_admin: Any) -> Any:
        job = errors.example(str(self.value())[:16]) if self.value() else None
        return [(job.fingerprint, texts.line(job.error, 40))] if job is not None else []


class ObjectTypeFilter(JobFilter):
    """By the type of the object; or by one object, as the key of its type, a colon, and its key."""

    title = gettext_lazy('object type')
    parameter_name = 'about'
    field = 'object_type_id'

    def lookups(self, request: Any, model_admin: Any) -> Any:
        found = ContentType.objects.db_manager(database()).in_bulk(counts.values('object_type', CHOICES))
        return sorted(((str(pk), kind.name) for pk, kind in found.items()), key=lambda choice: choice[1])

    def queryset(self, request: Any, queryset: 'QuerySet[Job]') -> 'QuerySet[Job]':
        if self.value() is None:
            return queryset
        kind, _colon, key = str(self.value()).partition(':')
        if not (kind.isascii() and kind.isdigit() and len(kind) < 10):
            return queryset.none()
        queryset = queryset.filter(object_type_id=int(kind))
        return queryset.filter(object_id=key) if key else queryset


#: The latest periods that are offered.
RECENT = {
    '1h': (timedelta(hours=1), gettext_lazy('Last hour')),
    '24h': (timedelta(days=1), gettext_lazy('Last day')),
    '7d': (timedelta(days=7), gettext_lazy('Last week')),
}


class WhenFilter(JobFilter):
    """By the time of creation: a latest period, a year, a month, or a day."""

    title = gettext_lazy('date')
    parameter_name = 'when'
    on_top = True

    def lookups(self, request: Any, model_admin: Any) -> Any:
        return [(key, label) for key, (_length, label) in RECENT.items()]

    def queryset(self, request: Any, queryset: 'QuerySet[Job]') -> 'QuerySet[Job]':
        if self.value() is None:
            return queryset
        bounds = period(self.value())
        if bounds is None:
            return queryset.none()
        rows = queryset.filter(created__gte=bounds[0])
        return rows if bounds[1] is None else rows.filter(created__lt=bounds[1])

    def steps(self, changelist: Any) -> dict[str, Any]:
        """Return the links to dates: `recent` periods, the `path` to the chosen date, and the `choices` below it."""
        value = self.value() or ''
        parts = [] if value in RECENT else value.split('-') if period(value) else []
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
                for key, (_length, label) in RECENT.items()
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


def period(value: str | None) -> tuple[datetime, datetime | None] | None:
    """Return the begin and the end of a choice of `WhenFilter`; None for an unknown one."""
    if not value:
        return None
    if value in RECENT:
        return timezone.now() - RECENT[value][0], None
    try:
        numbers = [int(part) for part in value.split('-')]
        year, month, day = (*numbers, 1, 1)[:3]
        begin = date(year, month, day)
        if len(numbers) == 1:
            end = date(year + 1, 1, 1)
        elif len(numbers) == 2:
            end = date(year + month // 12, month % 12 + 1, 1)
        elif len(numbers) == 3:
            end = begin + timedelta(days=1)
        else:
            return None
        return _midnight(begin), _midnight(end)
    except (ValueError, OverflowError):
        return None


def _midnight(day: date) -> datetime:
    naive = datetime(day.year, day.month, day.day)
    return timezone.make_aware(naive) if timezone.is_aware(timezone.now()) else naive

"""The filters of a list of jobs, and the order in which an index serves it; for the admin and for the REST API."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext_lazy

from ..choices import JobStatusChoices
from ..maintenance import bulk_action
from ..models.querysets import JobQuerySet

#: The fields behind the filters by one value, as those of actions on all jobs that match.
FIELDS = {name: bulk_action.FILTERS[name] for name in ('status', 'runner', 'queue', 'user', 'error')}
#: The latest periods that can be named.
RECENT = {
    '1h': (timedelta(hours=1), gettext_lazy('Last hour')),
    '24h': (timedelta(days=1), gettext_lazy('Last day')),
    '7d': (timedelta(days=7), gettext_lazy('Last week')),
}


def with_value(jobs: JobQuerySet, name: str, value: str) -> JobQuerySet:
    """Return the jobs with a value of one of `FIELDS`; none for a value that the field cannot have."""
    try:
        return jobs.filter(**{FIELDS[name]: value})
    except (ValueError, TypeError):
        return jobs.none()


def about(jobs: JobQuerySet, value: str) -> JobQuerySet:
    """Return the jobs about objects of a type, or about one: the key of the type, or that, a colon, and its key."""
    kind, _colon, key = value.partition(':')
    if not (kind.isascii() and kind.isdigit() and len(kind) < 10):
        return jobs.none()
    jobs = jobs.filter(object_type_id=int(kind))
    return jobs.filter(object_id=key) if key else jobs


def created_in(jobs: JobQuerySet, value: str) -> JobQuerySet:
    """Return the jobs that were created in a period; none if `period()` does not know it."""
    bounds = period(value)
    if bounds is None:
        return jobs.none()
    rows = jobs.filter(created__gte=bounds[0])
    return rows if bounds[1] is None else rows.filter(created__lt=bounds[1])


def period(value: str | None) -> tuple[datetime, datetime | None] | None:
    """Return the begin and the end of a latest period, a year, a month or a day; None for an unknown one."""
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


def ended_period(value: str | None) -> bool:
    """Whether this is a period with an end: its jobs need not be among the newest."""
    bounds = period(value)
    return bounds is not None and bounds[1] is not None


def order(given: Mapping[str, str]) -> str:
    """Return by what to sort jobs, the newest first, so that the database reads little more than a page.

    Args:
        given: The filters of the list by the names of their parameters.
    """
    if given.get('error'):
        return '-completed'
    if ended_period(given.get('when')) or ':' in given.get('about', ''):
        return '-created'  # by the key, all newer jobs would be read first
    # For one status, the index on status and due has this order. Keys ascend in the order of creation.
    return '-due' if given.get('status') in JobStatusChoices.values() else '-pk'

"""How the admin's pages show times, durations, text and statuses."""

from datetime import datetime, timedelta
from typing import Any

from django import template
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ..admin import marks, shown

register = template.Library()


@register.filter
def clean(text: Any) -> str:
    """The text without control characters."""
    return shown.clean(text)


@register.filter
def cut(text: Any, length: int) -> str:
    """The text without control characters, of at most this length."""
    return shown.cut(text, length)


@register.filter
def span(value: timedelta | float | None) -> str:
    """A length of time."""
    return shown.span(value)


@register.filter
def exact(value: datetime | None) -> str:
    """A time in full."""
    return shown.exact(value)


@register.filter
def class_name(path: str) -> str:
    """A runner's class, out of its dotted path."""
    return shown.class_name(path)


@register.filter
def moment(value: datetime | None) -> SafeString | str:
    """A time, short, with the full one as its title."""
    return marks.time(value)


@register.filter
def status(value: str) -> SafeString:
    """The word of a status, in its colour."""
    return marks.status(value)


@register.filter
def isolated(text: Any) -> SafeString:
    """Text of unknown direction, which leaves what is around it alone."""
    return format_html('<bdi>{}</bdi>', shown.clean(text))


@register.filter
def number(value: int, limit: int | None = None) -> str:
    """A number with its thousands told apart; one beyond the limit that was counted to as the limit and a plus."""
    if limit is not None and value > limit:
        return f'{formats.number_format(limit, 0, force_grouping=True)}+'
    return formats.number_format(value, 0, force_grouping=True)


@register.filter
def recurs(schedule: Any) -> str:
    """How often a schedule recurs."""
    return shown.recurrence(schedule.interval, schedule.cron, schedule.time_zone)


@register.filter
def state(value: Any) -> SafeString:
    """Whether a schedule goes on."""
    return marks.schedule_state(value)


@register.filter
def progress(value: Any) -> SafeString | str:
    """How far a run is."""
    return marks.progress(value)


@register.filter
def clock(value: datetime) -> SafeString:
    """The time of a log line: of the day, to the millisecond, with the date as its title."""
    local = timezone.localtime(value) if timezone.is_aware(value) else value
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        value.isoformat(),
        shown.exact(value),
        f'{local:%H:%M:%S}.{local.microsecond // 1000:03d}',
    )


@register.filter
def due(job: Any) -> SafeString | str:
    """When a job is due, or was."""
    return marks.time(job.scheduled or job.created)


@register.filter
def since(value: datetime | None) -> str:
    """How long ago something was."""
    return '' if value is None else shown.span((timezone.now() if timezone.is_aware(value) else datetime.now()) - value)


@register.filter
def unlocal(value: float) -> str:
    """A number as SVG has it, whatever the language."""
    return f'{value:g}'

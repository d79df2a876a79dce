"""The filters of the admin's pages: the formatting of times, durations, numbers, text and statuses."""

from datetime import datetime, timedelta
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ..admin import markup
from ..core import formatting
from ..monitoring import audit, workflows

register = template.Library()

register.filter('clean', formatting.clean)
register.filter('cut', formatting.cut)
register.filter('class_name', formatting.class_name)
register.filter('percent', formatting.percent)
register.filter('rate', formatting.rate)
register.filter('exact', formatting.exact_moment)
register.filter('since', formatting.age)
register.filter('moment', markup.moment)
register.filter('status', markup.status)
register.filter('job_status', markup.job_status)
register.filter('schedule_state', markup.schedule_state)
register.filter('workflow_status', markup.workflow_status)
register.filter('progress', markup.progress)
register.filter('breakable', markup.breakable)
register.filter('sparkline', markup.sparkline)
register.filter('audit_changes', audit.changes)


@register.filter
def duration(value: timedelta | float | None) -> str:
    """A length of time."""
    return formatting.duration(value)


@register.filter
def counted(counts: Any) -> list[tuple[str, int]]:
    """The words for where members of a workflow stand, and how many stand there, without those of no member."""
    return workflows.in_words(counts)


@register.filter
def remaining(value: timedelta) -> str:
    """How long the rest of a run takes."""
    return formatting.remaining(value)


@register.filter
def isolated(text: Any) -> SafeString:
    """Text whose direction does not affect the text around it."""
    return format_html('<bdi>{}</bdi>', formatting.clean(text))


@register.filter
def number(value: int, limit: int | None = None) -> str:
    """A number with separators; a number beyond the limit of the count as the limit and a plus."""
    return formatting.number(value) if limit is None else formatting.capped(value, limit)


@register.filter
def amount(progress: Any) -> str:
    """How much of a run is done."""
    return formatting.amount(progress.current, progress.total)


@register.filter
def recurs(schedule: Any) -> str:
    """How a schedule recurs."""
    return formatting.recurrence(schedule.interval, schedule.cron, schedule.time_zone)


@register.filter
def log_time(value: datetime) -> SafeString:
    """The time of a log line, with the date as its title."""
    iso, exact, text = formatting.iso(value), formatting.exact_moment(value), formatting.log_time(value)
    return format_html('<time datetime="{}" title="{}">{}</time>', iso, exact, text)


@register.filter
def clock_time(value: datetime) -> SafeString:
    """The time of a day whose date stands elsewhere, to the minute."""
    iso, exact, text = formatting.iso(value), formatting.exact_moment(value), formatting.hour(value)
    return format_html('<time datetime="{}" title="{}">{}</time>', iso, exact, text)


@register.filter
def due(job: Any) -> SafeString | str:
    """When a job is due, or was."""
    return markup.moment(job.scheduled or job.created)


@register.filter
def unlocal(value: float | None) -> str:
    """A number as attributes of HTML and SVG need it, whatever the language: without separators."""
    return f'{value:g}' if isinstance(value, float) else str(value)

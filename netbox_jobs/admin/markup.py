"""The small pieces of HTML that the admin's pages share: a status, a time, a progress bar, a link to an object."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.admin.utils import quote
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from ..choices import JobStatusChoices
from ..core import formatting
from ..models import Progress
from ..monitoring.schedules import ScheduleState

#: Failed differs from errored: the runner said so itself.
_COLORS = JobStatusChoices.colors | {JobStatusChoices.STATUS_FAILED: 'magenta'}
#: What an empty cell shows.
NONE = mark_safe('<span class="nj-none">&ndash;</span>')

_SCHEDULE_COLORS = {
    'suspended': 'red',
    'late': 'red',
    'paused': 'orange',
    'running': 'blue nj-is-running',
    'active': 'green',
}


def status(value: str, stopping: bool = False) -> SafeString:
    """Return the word for a status, in its color."""
    color = 'orange' if stopping else _COLORS.get(value, 'gray')
    word = formatting.status(value, stopping=stopping)
    return format_html('<span class="nj-status nj-{} nj-is-{}">{}</span>', color, value, word)


def color(value: str) -> str:
    """Return the name of the color of a status."""
    return _COLORS.get(value, 'gray')


def workflow_status(workflow: Any) -> SafeString:
    """Return the word for a workflow's status, in its color."""
    return status(workflow.status, bool(workflow.ending) and not workflow.ended)


def job_status(job: Any) -> SafeString:
    """Return the word for a job's status, in its color."""
    return status(job.status, job.stopping is not None and job.status == JobStatusChoices.STATUS_RUNNING)


def moment(value: datetime | None) -> SafeString | str:
    """Return a moment; its title has the date and the time zone."""
    if value is None:
        return ''
    # A line may break between date and time, and nowhere else.
    date, _space, time = formatting.moment(value).rpartition(' ')
    head = format_html('<span>{}</span> ', date) if date else ''
    iso, exact = formatting.iso(value), formatting.exact_moment(value)
    return format_html('<time datetime="{}" title="{}">{}<span>{}</span></time>', iso, exact, head, time)


def progress(found: Progress | None) -> SafeString | str:
    """Return the progress of a run, as a bar and in words."""
    if found is None:
        return ''
    if found.percent is None:
        text = formatting.cut(': '.join(filter(None, (formatting.amount(found.current, None), found.message))), 80)
        return format_html('<span class="nj-progress"><span>{}</span></span>', text)
    return format_html(
        '<span class="nj-progress"><progress max="100" value="{0}" aria-label="{1}">{2}</progress> '
        '<span>{2}</span></span>',
        found.percent,
        _('Progress'),
        formatting.percent(found.percent),
    )


def breakable(name: str) -> SafeString:
    """Return the name of a queue, in which a line may break after a dot."""
    parts = ((part,) for part in formatting.clean(name).split('.'))
    return format_html('<span class="nj-word">{}</span>', format_html_join(mark_safe('.<wbr>'), '{}', parts))


def sparkline(numbers: Sequence[int], most: int) -> SafeString:
    """Return small bars, one for each number; `most` is the number that a bar of full height stands for."""
    # One path, as a page has many of these.
    heights = [(place, max(1.0, 16 * value / most)) for place, value in enumerate(numbers) if value]
    return format_html(
        '<svg class="nj-sparkline" viewBox="0 0 {0} 16" width="{0}" height="16" role="img" aria-label="{1}">'
        '<path d="{2}"/></svg>',
        len(numbers) * 4,
        _('Jobs by part of the period: %(numbers)s') % {'numbers': ', '.join(map(str, numbers))},
        ''.join(f'M{place * 4 + 2} 16v-{height:.3g}' for place, height in heights),
    )


def object_link(site: AdminSite, request: HttpRequest, row: Any) -> SafeString | str:
    """Return the object of a job or a schedule, linked to its page in this site if the user may see that.

    Args:
        site: The admin site.
        request: The user's request.
        row: The job or schedule, after `related.attach_objects()`.
    """
    if row.object_id is None:
        return ''
    found = row.related_object
    if found is None:
        key = {'kind': row.related_type or '', 'key': formatting.cut(row.object_id, 40)}
        return format_html('<span class="nj-quiet">{}</span>', _('%(kind)s %(key)s (deleted)') % key)
    text = format_html('<bdi>{}</bdi>', formatting.cut(found, 80))
    model = type(found)
    model_admin: Any = site._registry.get(model)
    if model_admin is None or not model_admin.has_view_permission(request, found):
        return text
    try:
        path = f'admin:{model._meta.app_label}_{model._meta.model_name}_change'
        return format_html('<a href="{}">{}</a>', reverse(path, args=(quote(found.pk),), current_app=site.name), text)
    except NoReverseMatch:
        return text


def schedule_state(state: ScheduleState) -> SafeString:
    """Return the state of a schedule, and why it is suspended if it is."""
    word = formatting.schedule_state(state.shown)
    badge = format_html('<span class="nj-status nj-{}">{}</span>', _SCHEDULE_COLORS[state.shown], word)
    if state.shown == 'late' and state.late is not None:
        return format_html('{} <span class="nj-quiet">{}</span>', badge, formatting.duration(state.late))
    if not state.schedule.suspended:
        return badge
    why = formatting.first_line(state.schedule.suspended)
    return format_html('{} <span class="nj-error-line"><bdi>{}</bdi></span>', badge, why)

"""The small pieces of HTML that the pages share: a status, a time, a progress bar, a link to an object."""

from datetime import datetime
from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.admin.utils import quote
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from ..choices import JobStatusChoices
from ..models import Progress
from . import shown

_WORDS = dict(JobStatusChoices.CHOICES)
#: What stands in a cell that has nothing to say.
NONE = mark_safe('<span class="nj-none">&ndash;</span>')


def status(value: str) -> SafeString:
    """The word of a status, in its colour."""
    color = JobStatusChoices.colors.get(value, 'gray')
    return format_html(
        '<span class="nj-status nj-{} nj-is-{}">{}</span>', color, value, _WORDS.get(value, shown.clean(value))
    )


def time(value: datetime | None) -> SafeString | str:
    """A time, short, with the full one as its title."""
    if value is None:
        return ''
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', value.isoformat(), shown.exact(value), shown.moment(value)
    )


def progress(found: Progress | None) -> SafeString | str:
    """How far a run is, as a bar and in words."""
    if found is None:
        return ''
    if found.percent is None:
        return format_html('<span class="nj-progress"><span>{}</span></span>', shown.cut(found, 80))
    return format_html(
        '<span class="nj-progress"><progress max="100" value="{0}" aria-label="{1}">{0} %</progress> '
        '<span>{0} %</span></span>',
        found.percent,
        _('Progress'),
    )


def about(site: AdminSite, request: HttpRequest, row: Any) -> SafeString | str:
    """What a job or a schedule is about, by name, linked to its page in this site if the user may see that.

    Args:
        site: The admin site.
        request: Of the user.
        row: The job or schedule, dressed with its object (see `rows`).
    """
    if row.object_id is None:
        return ''
    found = row.shown_object
    if found is None:
        key = {'kind': row.shown_type or '', 'key': shown.cut(row.object_id, 40)}
        return format_html('<span class="nj-quiet">{}</span>', _('%(kind)s %(key)s (gone)') % key)
    text = format_html('<bdi>{}</bdi>', shown.cut(found, 80))
    model = type(found)
    model_admin: Any = site._registry.get(model)
    if model_admin is None or not model_admin.has_view_permission(request, found):
        return text
    try:
        path = f'admin:{model._meta.app_label}_{model._meta.model_name}_change'
        return format_html('<a href="{}">{}</a>', reverse(path, args=(quote(found.pk),), current_app=site.name), text)
    except NoReverseMatch:
        return text


def schedule_state(state: Any) -> SafeString:
    """Whether a schedule goes on, is paused, or is suspended and why."""
    schedule = state.schedule
    if schedule.suspended:
        why = shown.first_line(schedule.suspended, 200)
        return format_html(
            '<span class="nj-status nj-red">{}</span> <span class="nj-error-line"><bdi>{}</bdi></span>',
            _('Suspended'),
            why,
        )
    if schedule.paused:
        return format_html('<span class="nj-status nj-orange">{}</span>', _('Paused'))
    if state.running is not None:
        return format_html('<span class="nj-status nj-blue nj-is-running">{}</span>', _('Running'))
    return format_html('<span class="nj-status nj-green">{}</span>', _('Active'))

"""`{% load netbox_jobs %}`: jobs on a plugin's own pages, which update themselves.

Users who may not see a job see nothing in its place.
"""

from typing import Any

from django import template
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ..enqueue.identify import content_type_of, identify_instance
from ..models import Job
from ..monitoring import permissions
from ..web import buttons, fragments, notifications

register = template.Library()


@register.simple_tag
def netbox_jobs_assets() -> SafeString:
    """The style sheet and the script; use it once, in the page's head."""
    return format_html(
        '<link rel="stylesheet" href="{}">\n<script src="{}" defer></script>',
        static('netbox_jobs/jobs.css'),
        static('netbox_jobs/live.js'),
    )


@register.simple_tag(takes_context=True)
def job_status(context: Any, job: Job | None) -> str:
    """The job's status; nothing for None."""
    request = _request(context)
    return fragments.status(request, job).html if job and permissions.may_view(request.user, job) else ''


@register.simple_tag(takes_context=True)
def job_progress(context: Any, job: Job | None, actions: bool = True) -> str:
    """The job's status and progress, and with `actions` the buttons to stop or retry it; nothing for None."""
    request = _request(context)
    if not job or not permissions.may_view(request.user, job):
        return ''
    return fragments.progress(request, job, actions=actions).html


@register.simple_tag(takes_context=True)
def job_log(context: Any, job: Job | None, lines: int = 100, level: str = '') -> str:
    """The last `lines` lines of the job's log, of `level` (`'warning'`) and of more severe ones; nothing for None."""
    request = _request(context)
    if not job or not permissions.may_view(request.user, job):
        return ''
    return fragments.log(request, job, lines=lines, level=level).html


@register.simple_tag(takes_context=True)
def object_jobs(context: Any, obj: Any, limit: int = 10) -> str:
    """The latest `limit` jobs of a saved object, the newest first; nothing for None."""
    request = _request(context)
    if not obj:
        return ''
    _object_type, object_id, object_db = identify_instance(obj)
    about = {'object_type_id': content_type_of(obj).pk, 'object_id': object_id, 'object_db': object_db}
    return fragments.object_jobs(request, about, limit=limit).html


@register.simple_tag(takes_context=True)
def enqueue_button(
    context: Any,
    runner: Any,
    instance: Any = None,
    label: str = '',
    permission: str = permissions.ENQUEUE,
    **kwargs: Any,
) -> str:
    """A button that enqueues a job for the user, and then shows its progress; nothing without the permission.

    Args:
        runner: A runner, or its dotted path.
        instance: The object that the job is about.
        label: The text of the button; the name of the runner if omitted.
        permission: What the user needs: `netbox_jobs.add_job` if omitted.
        kwargs: The other arguments of `enqueue()`, as JSON has them.
    """
    return buttons.button(_request(context), runner, instance, label, permission, kwargs)


@register.simple_tag(takes_context=True)
def job_notifications(context: Any) -> str:
    """The user's jobs that have ended since the page before, and those that end while the page is open."""
    return notifications.on_page(_request(context))


def _request(context: Any) -> HttpRequest:
    request: HttpRequest | None = context.get('request')
    if request is None:
        raise ImproperlyConfigured(
            "The template's context has no `request`, which the tags of netbox_jobs need to check permissions. Render "
            "with a request, and add 'django.template.context_processors.request' to TEMPLATES."
        )
    return request

"""`JobTable`, for pages of plugins that embed one; needs django-tables2: the extra `netbox-jobs[netbox]`."""

from datetime import timedelta
from typing import Any

import django_tables2
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from ...core import formatting
from ...models import Job

__all__ = ('JobTable',)


def _page(record: Job) -> str | None:
    """Return the URL of the job's page, if it has one."""
    return record.get_absolute_url() or None


def _page_of_object(value: Any) -> str | None:
    find = getattr(value, 'get_absolute_url', None)
    return find() if find else None


class JobTable(django_tables2.Table):
    """A table of jobs: `JobTable(source.jobs.all())`. It shows the columns of `Meta.default_columns`.

    It checks no permission: pass it the jobs that the user may see (`netbox_jobs.permissions.visible_jobs()`).
    """

    id = django_tables2.Column(verbose_name=_('ID'), linkify=_page)
    object_type = django_tables2.Column(verbose_name=_('Type'))
    object = django_tables2.Column(verbose_name=_('Object'), linkify=_page_of_object, orderable=False)
    name = django_tables2.Column(verbose_name=_('Name'), linkify=_page)
    interval = django_tables2.Column(verbose_name=_('Interval'))
    execution_time = django_tables2.Column(
        verbose_name=_('Execution time'), accessor='elapsed_time', order_by='execution_time'
    )
    log_entries = django_tables2.Column(verbose_name=_('Log entries'), orderable=False)

    class Meta:
        model = Job
        fields: Any = (
            'id', 'object_type', 'object', 'name', 'status', 'created', 'scheduled', 'interval', 'started',
            'completed', 'execution_time', 'user', 'queue_name', 'log_entries', 'error', 'job_id',
        )  # fmt: skip
        default_columns: Any = (
            'id', 'object_type', 'object', 'name', 'status', 'created', 'started', 'execution_time', 'user',
        )  # fmt: skip

    def __init__(self, *args: Any, user: Any = None, **kwargs: Any) -> None:
        """Args:
        user: Accepted as NetBox's tables have it; all users see the same columns.
        """
        super().__init__(*args, **kwargs)
        shown = getattr(type(self).Meta, 'default_columns', self.Meta.fields)
        for name in list(self.columns.columns):
            if name not in shown:
                self.columns.hide(name)

    def configure(self, request: HttpRequest) -> None:
        """Order and paginate the table as the query string says."""
        django_tables2.RequestConfig(request, paginate={'per_page': 50}).configure(self)

    def render_status(self, value: str, record: Job) -> str:
        """Render the status as a badge."""
        return format_html('<span class="badge text-bg-{}">{}</span>', record.get_status_color(), value)

    def render_interval(self, value: int) -> str:
        """Render the interval with its unit."""
        return formatting.duration(timedelta(minutes=value))

    def render_execution_time(self, value: timedelta) -> str:
        """Render how long the run took, or has taken so far."""
        return formatting.duration(value)

    def render_log_entries(self, value: Any) -> int:
        """Render how many lines the log has."""
        return len(value)

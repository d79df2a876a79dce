"""The columns of the list of jobs."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..choices import JobStatusChoices
from ..models import Job
from . import marks, shown


class JobColumns:
    """The part of the admin of jobs that renders the cells of the list."""

    admin_site: Any

    @admin.display(description=mark_safe('<input type="checkbox" id="action-toggle">'))
    def action_checkbox(self, job: Job) -> SafeString:
        """The box by which a job is chosen for what is done to several at once."""
        return format_html(
            '<input type="checkbox" name="job" value="{}" class="action-select" aria-label="{}">',
            job.pk,
            _('Choose job %(number)s') % {'number': job.pk},
        )

    @admin.display(description=gettext_lazy('status'))
    def status_shown(self, job: Job) -> SafeString:
        """The word; with how far it is, if it runs, and that its end has been asked for."""
        told: Any = job
        stopping = (
            format_html('<span class="nj-quiet">{}</span>', _('stopping…'))
            if job.stopping is not None and job.status == JobStatusChoices.STATUS_RUNNING
            else ''
        )
        return format_html('{}{}{}', marks.status(job.status), marks.progress(told.shown_progress), stopping)

    @admin.display(description=gettext_lazy('job'))
    def job_shown(self, job: Job) -> SafeString:
        """Its name, linked; its number and its runner; and what went wrong."""
        told: Any = job
        path = reverse('admin:netbox_jobs_job_change', args=(quote(job.pk),), current_app=self.admin_site.name)
        wrong = job.status in (JobStatusChoices.STATUS_ERRORED, JobStatusChoices.STATUS_FAILED)
        error = (
            format_html('<span class="nj-error-line"><bdi>{}</bdi></span>', shown.first_line(told.error_begins))
            if wrong and told.error_begins
            else ''
        )
        return format_html(
            '<a class="nj-name" href="{}"><bdi>{}</bdi></a> <span class="nj-quiet" title="{}">#{} · {}</span>{}',
            path,
            shown.cut(job.name, 100) or _('(no name)'),
            shown.clean(job.runner),
            job.pk,
            shown.class_name(shown.clean(job.runner)) or _('by hand'),
            error,
        )

    @admin.display(description=gettext_lazy('object'), empty_value=marks.NONE)
    def object_shown(self, job: Job) -> SafeString | str | None:
        """What it is about, linked where that has a page."""
        told: Any = job
        return told.shown_about or None

    @admin.display(description=gettext_lazy('queue'), empty_value=marks.NONE)
    def queue_shown(self, job: Job) -> SafeString | None:
        """The queue."""
        return format_html('<span class="nj-word">{}</span>', shown.clean(job.queue_name)) if job.queue_name else None

    @admin.display(description=gettext_lazy('user'), empty_value=marks.NONE)
    def user_shown(self, job: Job) -> SafeString | None:
        """Who it is done for; a link to all of this user's jobs."""
        told: Any = job
        if told.shown_user is None:
            return None
        return format_html('<a href="?user={}"><bdi>{}</bdi></a>', job.user_id, shown.cut(told.shown_user, 40))

    @admin.display(description=gettext_lazy('created'), ordering='pk')
    def created_shown(self, job: Job) -> SafeString:
        """When it was created; and when it is due, if it waits for its time."""
        due = ''
        if job.status == JobStatusChoices.STATUS_SCHEDULED and job.scheduled is not None:
            due = format_html('<span class="nj-quiet">{} {}</span>', _('due'), marks.time(job.scheduled))
        return format_html('{} {}', marks.time(job.created), due)

    @admin.display(description=gettext_lazy('ended'), ordering='completed', empty_value=marks.NONE)
    def completed_shown(self, job: Job) -> SafeString | str | None:
        """When it ended."""
        return marks.time(job.completed) or None

    @admin.display(description=gettext_lazy('duration'), empty_value=marks.NONE)
    def duration_shown(self, job: Job) -> str | None:
        """How long it took, or has taken so far."""
        if job.status == JobStatusChoices.STATUS_RUNNING and job.started is not None:
            return shown.span(timezone.now() - job.started)
        return shown.span(job.execution_time) or None

"""The columns of the list of jobs."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..choices import JobStatusChoices
from ..core import errors, formatting
from ..models import Job
from . import markup


class JobColumns:
    """The part of the admin of jobs that renders the cells of the list."""

    admin_site: Any

    @admin.display(description=mark_safe('<input type="checkbox" id="action-toggle">'))
    def action_checkbox(self, job: Job) -> SafeString:
        """The box that selects a job for an action on several jobs."""
        return format_html(
            '<input type="checkbox" name="job" value="{}" class="action-select" aria-label="{}">',
            job.pk,
            _('Select job %(number)s') % {'number': job.pk},
        )

    @admin.display(description=gettext_lazy('status'))
    def status_column(self, job: Any) -> SafeString:
        """The status, and the progress of a running job."""
        return format_html('{}{}', markup.job_status(job), markup.progress(job.related_progress))

    @admin.display(description=gettext_lazy('job'))
    def job_column(self, job: Any) -> SafeString:
        """The name, linked; the number and the runner; and the error of a job that did not complete."""
        path = reverse('admin:netbox_jobs_job_change', args=(quote(job.pk),), current_app=self.admin_site.name)
        wrong = job.status in (JobStatusChoices.STATUS_ERRORED, JobStatusChoices.STATUS_FAILED)
        error = (
            format_html(
                '<span class="nj-error-line"><bdi>{}</bdi></span>',
                errors.line(job.error_start),
            )
            if wrong and job.error_start
            else ''
        )
        return format_html(
            '<a class="nj-name" href="{}"><bdi>{}</bdi></a> <span class="nj-quiet" title="{}">#{} · {}</span>{}',
            path,
            formatting.cut(job.name, 100) or _('(no name)'),
            formatting.clean(job.runner),
            job.pk,
            formatting.class_name(job.runner) or _('no runner'),
            error,
        )

    @admin.display(description=gettext_lazy('object'), empty_value=markup.NONE)
    def object_column(self, job: Any) -> SafeString | str | None:
        """The object that the job is about, linked if it has a page."""
        return job.object_link or None

    @admin.display(description=gettext_lazy('queue'), empty_value=markup.NONE)
    def queue_column(self, job: Any) -> SafeString | None:
        """The name of the queue, in which a line may break after a dot."""
        if not job.queue_name:
            return None
        return markup.breakable(job.queue_name)

    @admin.display(description=gettext_lazy('user'), empty_value=markup.NONE)
    def user_column(self, job: Any) -> SafeString | None:
        """The user of the job, linked to all jobs of this user."""
        if job.related_user is None:
            return None
        return format_html('<a href="?user={}"><bdi>{}</bdi></a>', job.user_id, formatting.cut(job.related_user, 40))

    @admin.display(description=gettext_lazy('created'), ordering='pk')
    def created_column(self, job: Any) -> SafeString:
        """When the job was created, and when a scheduled job is due."""
        due = ''
        if job.status == JobStatusChoices.STATUS_SCHEDULED and job.scheduled is not None:
            due = format_html('<span class="nj-quiet">{} {}</span>', _('due'), markup.moment(job.scheduled))
        return format_html('{} {}', markup.moment(job.created), due)

    @admin.display(description=gettext_lazy('ended'), ordering='completed', empty_value=markup.NONE)
    def completed_column(self, job: Any) -> SafeString | str | None:
        """When the job ended."""
        return markup.moment(job.completed) or None

    @admin.display(description=gettext_lazy('duration'), empty_value=markup.NONE)
    def duration_column(self, job: Any) -> str | None:
        """How long the job ran, or has run so far."""
        if job.status == JobStatusChoices.STATUS_RUNNING and job.started is not None:
            return formatting.age(job.started)
        return formatting.duration(job.execution_time) or None

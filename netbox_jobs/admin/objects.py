"""The jobs of an object, on the object's own page in the admin."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ObjectDoesNotExist
from django.db import DatabaseError
from django.forms import Media
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import path
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _

from ..core import contexts
from ..enqueue.identify import content_type_of, identify_instance
from ..models import Job, database
from ..monitoring import related
from .base import PagesAdmin

#: How many jobs are listed; a link leads to all.
LISTED = 10


class JobsAdminMixin:
    """Show an object's jobs on its admin page, and keep them up to date.

    For the `ModelAdmin` of a model with `JobsMixin`; put it before `ModelAdmin` among the bases. Users without the
    permission to view jobs do not see them here.
    """

    admin_site: Any

    @property
    def media(self) -> Media:
        """Django's, with the style and the script of this app."""
        own = Media(css={'all': ['netbox_jobs/admin.css']}, js=['netbox_jobs/live.js'])
        return super().media + own  # type: ignore[misc]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Django's, and the jobs."""
        return (*super().get_readonly_fields(request, obj), 'background_jobs')  # type: ignore[misc]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Django's; the jobs have a fieldset of their own."""
        return [name for name in super().get_fields(request, obj) if name != 'background_jobs']  # type: ignore[misc]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Django's, and one for the jobs of an existing object."""
        found = list(super().get_fieldsets(request, obj))  # type: ignore[misc]
        jobs = self.admin_site._registry.get(Job)
        if obj is not None and jobs is not None and jobs.has_view_permission(request):
            found.append((_('Background jobs'), {'fields': ('background_jobs',), 'classes': ('nj-fieldset',)}))
        return found

    @admin.display(description=_('latest'))
    def background_jobs(self, obj: Any) -> SafeString:
        """The latest jobs of the object."""
        jobs: Any = self.admin_site._registry[Job]
        _object_type, object_id, _alias = identify_instance(obj)
        context = jobs.object_jobs(content_type_of(obj).pk, object_id)
        # A template escapes what it is given.
        return mark_safe(render_to_string('admin/netbox_jobs/job/object_jobs.html', context))  # nosec B703


class ObjectJobsPage(PagesAdmin):
    """The part of the admin of jobs that lists the jobs of one object."""

    def object_urls(self) -> list[Any]:
        """The address from which the page of an object updates itself."""
        view = self.fragment(self.object_live_view)
        return [path('of/<int:object_type>/<path:object_id>/', view, name='netbox_jobs_job_of')]

    def object_live_view(self, request: HttpRequest, object_type: int, object_id: str) -> HttpResponse:
        """The latest jobs of an object, if the user may see the object."""
        self.check_view(request)
        kind = ContentType.objects.db_manager(database()).filter(pk=object_type).first()
        model: Any = kind.model_class() if kind is not None else None
        owner: Any = self.admin_site._registry.get(model)
        try:
            found = model._base_manager.get(pk=object_id) if owner is not None else None
        except (ObjectDoesNotExist, ValueError, TypeError, DatabaseError):  # a model may have no table
            found = None
        if found is None or not owner.has_view_permission(request, found):
            raise Http404
        context = self.object_jobs(object_type, object_id)
        return self.render(request, 'admin/netbox_jobs/job/object_jobs.html', '', **context)

    def object_jobs(self, object_type: int, object_id: str) -> dict[str, Any]:
        """Return the latest jobs of an object, for the template."""
        about = {'object_type_id': object_type, 'object_id': object_id, **contexts.tenant_filter()}
        jobs = Job.objects.using(database()).filter(**about)
        found = list(related.defer_large_fields(jobs).order_by('-pk')[: LISTED + 1])
        related.attach(found)
        return {
            'jobs': [(job, self.url('job_change', job.pk)) for job in found[:LISTED]],
            'more': len(found) > LISTED,
            'all_url': f'{self.url("job_changelist")}?{urlencode({"about": f"{object_type}:{object_id}"})}',
            'live_url': self.url('job_of', object_type, object_id),
            'live_every': 2000 if any(not job.ended for job in found) else 15000,
        }

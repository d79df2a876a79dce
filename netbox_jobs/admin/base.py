"""The base of this app's admin pages: rows are not edited, and pages update themselves."""

from collections.abc import Callable
from functools import update_wrapper
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.forms import Media
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from django.utils.http import url_has_allowed_host_and_scheme

from ..broker import connection
from ..core import actors, queues
from ..models import AuditEntry
from ..monitoring import audit, pauses

View = Callable[..., HttpResponseBase]


class PagesAdmin(admin.ModelAdmin):
    """An admin whose rows are watched and acted on, not edited."""

    # Django's actions are not used: `action_views` asks before it acts on several jobs.
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @property
    def media(self) -> Media:
        """The style and the scripts of this app, without Django's scripts for editing."""
        return Media(css={'all': ['netbox_jobs/admin.css']}, js=['netbox_jobs/live.js', 'netbox_jobs/admin.js'])

    def page(self, view: View) -> View:
        """Wrap a view of a page: visitors are asked to log in, and answers are not cached."""
        return self.admin_site.admin_view(_audited(view))

    def fragment(self, view: View) -> View:
        """Wrap a view that a page fetches to update itself: visitors get 403 instead of a login page."""

        def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not self.admin_site.has_permission(request):
                raise PermissionDenied
            request.current_app = self.admin_site.name
            response = view(request, *args, **kwargs)
            add_never_cache_headers(response)
            return response

        return update_wrapper(wrapped, view)

    def check_view(self, request: HttpRequest) -> None:
        """Raise `PermissionDenied` unless the user may see rows of this model."""
        if not self.has_view_permission(request):
            raise PermissionDenied

    def find(self, request: HttpRequest, key: str) -> Any:
        """Return the row of this key; raise `Http404` if there is none, or the user may not see it."""
        self.check_view(request)
        found = self.get_object(request, key)
        if found is None or not self.has_view_permission(request, found):
            raise Http404
        return found

    def render(self, request: HttpRequest, template: str, title: Any, **context: Any) -> TemplateResponse:
        """Answer with a page within the admin's frame."""
        request.current_app = self.admin_site.name
        frame = self.admin_site.each_context(request)
        own = {'opts': self.opts, 'media': self.media, 'title': title, **notices()}
        return TemplateResponse(request, template, {**frame, **own, **context})

    def url(self, name: str, *args: Any) -> str:
        """Return the address of a page of this app in this admin site."""
        return reverse(f'admin:netbox_jobs_{name}', args=args, current_app=self.admin_site.name)

    def with_query(self, request: HttpRequest, name: str) -> str:
        """Return the address of a page of this app, with the query of this request."""
        query = request.GET.urlencode()
        return self.url(name) + (f'?{query}' if query else '')

    def back(self, request: HttpRequest, default: str) -> HttpResponseRedirect:
        """Redirect to the page that the form names, if it is on this site."""
        wanted = request.POST.get('next', '')
        safe = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
        return HttpResponseRedirect(wanted if safe else default)

    def audit_entries(self, request: HttpRequest, row: Any) -> list[AuditEntry]:
        """Return the actions on a job or a schedule; none if the user may not see the audit trail."""
        user: Any = request.user
        return audit.entries_of(row) if user.has_perm(audit.VIEW) else []

    def notify(self, request: HttpRequest, text: str, level: int = messages.SUCCESS) -> None:
        """Show a message on the next page; projects without messages raise no error."""
        self.message_user(request, text, level, fail_silently=True)


def _audited(view: View) -> View:
    """Wrap a view: what it does is done by the user of the request."""

    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        user: Any = request.user
        with actors.acting(user, face=actors.ADMIN):
            return view(request, *args, **kwargs)

    return update_wrapper(wrapped, view)


def notices() -> dict[str, Any]:
    """Return what every page of this app says above its content: silent servers, and paused queues."""
    return {'silent_queues': silent_queues(), 'pauses': pauses.paused()}


def silent_queues() -> list[str]:
    """Return the configured queues whose Redis does not answer."""
    try:
        return [name for name in queues.configured() if not connection.answers(name)]
    except ImproperlyConfigured:
        return []

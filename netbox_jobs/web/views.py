"""The views from which the fragments of a page update themselves, and to which their buttons post.

A job that the user may not see gets the same answer as a job that does not exist: 404.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.utils.cache import patch_vary_headers
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from ..choices import JobStatusChoices
from ..core import actors, formatting
from ..exceptions import NetBoxJobsError
from ..models import Job
from ..monitoring import permissions, related
from . import buttons, fragments
from . import notifications as notices
from .fragments import Fragment

View = Callable[..., HttpResponse]


def _polled(view: Callable[..., Fragment]) -> View:
    """Make a view that answers with a fragment, or with 304 if the browser has the same one."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        fragment = view(request, *args, **kwargs)
        if request.headers.get('If-None-Match', '').removeprefix('W/') == fragment.etag:
            response = HttpResponse(status=304)
        else:
            response = HttpResponse(fragment.html)
        response['ETag'] = fragment.etag
        patch_vary_headers(response, ('Cookie', 'Accept-Language'))
        return response

    # Visitors get 404, as for a job that does not exist, instead of a redirect to the login.
    return login_not_required(never_cache(require_safe(answer)))


@_polled
def status(request: HttpRequest, pk: int) -> Fragment:
    """The fragment of `{% job_status job %}`."""
    return fragments.status(request, _listed_job(request, pk))


@_polled
def progress(request: HttpRequest, pk: int) -> Fragment:
    """The fragment of `{% job_progress job %}`."""
    return fragments.progress(request, _listed_job(request, pk), actions=request.GET.get('actions') != '0')


@_polled
def log(request: HttpRequest, pk: int) -> Fragment:
    """The fragment of `{% job_log job %}`."""
    lines, level = _number(request, 'lines', 100), request.GET.get('level', '')
    return fragments.log(request, _listed_job(request, pk), lines=lines, level=level)


@_polled
def objects(request: HttpRequest) -> Fragment:
    """The fragment of `{% object_jobs object %}`. An object that does not exist has no jobs."""
    about = {
        'object_type_id': _number(request, 'type', 0),
        'object_id': request.GET.get('id', '')[:255].replace('\0', ''),
        'object_db': request.GET.get('db', '')[:100].replace('\0', ''),
    }
    return fragments.object_jobs(request, about, limit=_number(request, 'limit', 10))


@_polled
def notifications(request: HttpRequest) -> Fragment:
    """The fragment of `{% job_notifications %}`."""
    keys = request.GET.get('shown', '').split(',')[: notices.REMEMBERED]
    shown = {int(key) for key in keys if key.isascii() and key.isdigit() and len(key) < 19}
    return notices.live(request, _number(request, 'since', 0), shown)


@login_not_required
@require_POST
def stop(request: HttpRequest, pk: int) -> HttpResponse:
    """Cancel a waiting job or stop a running one, and redirect to the page."""
    job = _job(request, pk)
    if not permissions.may_cancel(request.user, job):
        raise PermissionDenied
    with actors.acting(request.user, face=actors.WEB):
        job.stop()
    job.refresh_from_db(fields=('status',))
    if not job.ended:
        _say(request, messages.SUCCESS, _('The job "%s" is being stopped.'), job)
    elif job.status == JobStatusChoices.STATUS_CANCELED:
        _say(request, messages.SUCCESS, _('The job "%s" is canceled.'), job)
    else:
        _say(request, messages.INFO, _('The job "%s" has already ended.'), job)
    return _back(request)


@login_not_required
@require_POST
def retry(request: HttpRequest, pk: int) -> HttpResponse:
    """Retry a job that has ended, and redirect to the page."""
    job = _job(request, pk)
    if not permissions.may_retry(request.user, job):
        raise PermissionDenied
    try:
        with actors.acting(request.user, face=actors.WEB):
            job.retry()
        _say(request, messages.SUCCESS, _('The job "%s" is enqueued again.'), job)
    except (ValueError, TypeError, NetBoxJobsError) as error:
        messages.error(request, str(error), fail_silently=True)
    return _back(request)


@login_not_required
@require_POST
def enqueue(request: HttpRequest) -> HttpResponse:
    """Enqueue the job of `{% enqueue_button %}`, and redirect to the page, which then shows its progress."""
    try:
        job = buttons.press(request)
    except (ValueError, TypeError, NetBoxJobsError) as error:
        messages.error(request, str(error), fail_silently=True)
    else:
        _say(request, messages.SUCCESS, _('The job "%s" is enqueued.'), job)
    return _back(request)


def _say(request: HttpRequest, level: int, text: str, job: Job) -> None:
    # Isolated, so that a name written from right to left does not reorder the rest of the sentence.
    name = f'\u2068{formatting.cut(job.name, 200)}\u2069'
    messages.add_message(request, level, text % name, fail_silently=True)


def _job(request: HttpRequest, pk: int) -> Job:
    return get_object_or_404(permissions.visible_jobs(request.user), pk=pk)


def _listed_job(request: HttpRequest, pk: int) -> Job:
    return get_object_or_404(related.defer_large_fields(permissions.visible_jobs(request.user)), pk=pk)


def _number(request: HttpRequest, name: str, default: int) -> int:
    try:
        value = int(request.GET.get(name, default))
    except ValueError:
        raise Http404 from None
    if not 0 <= value < 2**31:
        raise Http404
    return value


def _back(request: HttpRequest) -> HttpResponseRedirect:
    """Redirect to the page of the button, which the browser names in `Referer`."""
    page = request.headers.get('Referer', '')
    if not url_has_allowed_host_and_scheme(page, {request.get_host()}, require_https=request.is_secure()):
        page = '/'
    return HttpResponseRedirect(page)

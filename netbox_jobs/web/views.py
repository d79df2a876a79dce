"""What the fragments of a page ask for while they are shown, and what their buttons post to.

A job that the user may not see is answered like one that does not exist.
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

from .. import permissions
from ..choices import JobStatusChoices
from ..core import formatting
from ..exceptions import ArgumentsRefused, InstanceGone, RunnerNotFound
from ..models import Job
from . import fragments
from .fragments import Fragment

View = Callable[..., HttpResponse]


def _polled(view: Callable[..., Fragment]) -> View:
    """A view that answers with a fragment, or with 304 if the asker has just this one."""

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

    # Visitors are told what they would be told of a job that does not exist, not the way to the login.
    return login_not_required(never_cache(require_safe(answer)))


@_polled
def status(request: HttpRequest, pk: int) -> Fragment:
    """What `{% job_status job %}` shows."""
    return fragments.status(request, _light_job(request, pk))


@_polled
def progress(request: HttpRequest, pk: int) -> Fragment:
    """What `{% job_progress job %}` shows."""
    return fragments.progress(request, _light_job(request, pk), actions=request.GET.get('actions') != '0')


@_polled
def log(request: HttpRequest, pk: int) -> Fragment:
    """What `{% job_log job %}` shows."""
    lines, level = _number(request, 'lines', 100), request.GET.get('level', '')
    return fragments.log(request, _light_job(request, pk), lines=lines, level=level)


@_polled
def objects(request: HttpRequest) -> Fragment:
    """What `{% object_jobs object %}` shows. An object that does not exist is one without jobs."""
    about = {
        'object_type_id': _number(request, 'type', 0),
        'object_id': request.GET.get('id', '')[:255].replace('\0', ''),
        'object_db': request.GET.get('db', '')[:100].replace('\0', ''),
    }
    return fragments.object_jobs(request, about, limit=_number(request, 'limit', 10))


@login_not_required
@require_POST
def stop(request: HttpRequest, pk: int) -> HttpResponse:
    """Cancel a job that waits, stop one that runs; then back to the page."""
    job = _job(request, pk)
    if not permissions.may_cancel(request.user, job):
        raise PermissionDenied
    job.stop()
    job.refresh_from_db(fields=('status',))
    if not job.ended:
        _say(request, messages.SUCCESS, _('%s is being stopped.'), job)
    elif job.status == JobStatusChoices.STATUS_CANCELED:
        _say(request, messages.SUCCESS, _('%s is canceled.'), job)
    else:
        _say(request, messages.INFO, _('%s has ended already.'), job)
    return _back(request)


@login_not_required
@require_POST
def retry(request: HttpRequest, pk: int) -> HttpResponse:
    """Enqueue a job that has ended once more; then back to the page."""
    job = _job(request, pk)
    if not permissions.may_retry(request.user, job):
        raise PermissionDenied
    try:
        job.retry()
        _say(request, messages.SUCCESS, _('%s runs once more.'), job)
    except (ValueError, ArgumentsRefused, InstanceGone, RunnerNotFound) as error:
        messages.error(request, str(error), fail_silently=True)
    return _back(request)


def _say(request: HttpRequest, level: int, text: str, job: Job) -> None:
    # Isolated: a name that runs from right to left does not turn the rest of the sentence around.
    name = f'\u2068{formatting.printable(job.name, 200)}\u2069'
    messages.add_message(request, level, text % name, fail_silently=True)


def _job(request: HttpRequest, pk: int) -> Job:
    return get_object_or_404(permissions.visible_jobs(request.user), pk=pk)


def _light_job(request: HttpRequest, pk: int) -> Job:
    return get_object_or_404(fragments.light(permissions.visible_jobs(request.user)), pk=pk)


def _number(request: HttpRequest, name: str, default: int) -> int:
    try:
        value = int(request.GET.get(name, default))
    except ValueError:
        raise Http404 from None
    if not 0 <= value < 2**31:
        raise Http404
    return value


def _back(request: HttpRequest) -> HttpResponseRedirect:
    """To the page whose button was pressed. (Browsers name it to their own site; without it CSRF would not pass.)"""
    page = request.headers.get('Referer', '')
    if not url_has_allowed_host_and_scheme(page, {request.get_host()}, require_https=request.is_secure()):
        page = '/'
    return HttpResponseRedirect(page)

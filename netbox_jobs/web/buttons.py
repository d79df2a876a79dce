"""Buttons that enqueue a job: what a page offers is signed, so that the browser chooses neither code nor arguments.

A button is for one user: its signed text names the user, the runner, the object, the arguments and the permission that
the user needs when the button is pressed. After that, the session remembers the job, and the page shows its progress.
"""

import inspect
from hashlib import sha256
from typing import Any

from django.apps import apps
from django.core import signing
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied, ValidationError
from django.http import Http404, HttpRequest
from django.utils.safestring import SafeString, mark_safe

from ..core import import_path
from ..core.home import home_of
from ..execution.runner import JobRunner
from ..models import Job
from ..monitoring import permissions, related
from . import fragments

_SALT = 'netbox_jobs.web.buttons'
#: Under this name the session has the jobs of the buttons: how many at most.
_SESSION, REMEMBERED = 'netbox_jobs.buttons', 20


def button(
    request: HttpRequest, runner: Any, instance: Any, label: str, permission: str, arguments: dict[str, Any]
) -> SafeString:
    """Render a button for the user, with the progress of the job that it has enqueued last.

    Args:
        request: The user's request.
        runner: A runner, or its dotted path.
        instance: The object that the job is about, or None.
        label: The text of the button; the name of the runner if empty.
        permission: What the user needs.
        arguments: The other arguments of `enqueue()`, as JSON has them.

    Raises:
        RunnerNotFound: There is no such runner.
        TypeError: `runner` is no runner, or JSON cannot represent an argument.
    """
    user: Any = request.user
    found = _runner(runner)
    address = fragments.url_of('enqueue')
    if not address or not user.has_perm(permission):
        return mark_safe('')
    about = None
    if instance is not None:
        about = [instance._meta.label, instance._meta.pk.value_to_string(instance), home_of(instance)]
    offer = {
        'user': str(user.pk),
        'runner': import_path.path_of(found),
        'about': about,
        'arguments': arguments,
        'permission': permission,
    }
    signed = signing.Signer(salt=_SALT).sign_object(offer, compress=True)
    job = _remembered(request, signed)
    context = {'address': address, 'signed': signed, 'label': label or found.name}
    progress = fragments.progress(request, job).html if job is not None else mark_safe('')
    return fragments.render(request, 'enqueue_button', {**context, 'progress': progress}).html


def press(request: HttpRequest) -> Job:
    """Enqueue the job of the button that was pressed.

    Raises:
        Http404: The button is not signed by this site for this user, or its object does not exist any more.
        PermissionDenied: The user does not have the permission any more.
        ValueError, TypeError, NetBoxJobsError: The job cannot be enqueued.
    """
    user: Any = request.user
    signed = request.POST.get('button', '')
    try:
        offer = signing.Signer(salt=_SALT).unsign_object(signed)
    except signing.BadSignature:
        raise Http404 from None
    if not user.is_authenticated or offer['user'] != str(user.pk):
        raise Http404
    if not user.has_perm(offer['permission']):
        raise PermissionDenied
    given = dict(offer['arguments'])
    if offer['about'] is not None:
        label, key, alias = offer['about']
        try:
            given['instance'] = apps.get_model(label)._base_manager.using(alias).get(pk=key)
        except (LookupError, ObjectDoesNotExist, ValidationError, ValueError):
            raise Http404 from None
    job = _runner(offer['runner']).enqueue(user=user, **given)
    jobs = dict(request.session.get(_SESSION, {}))
    jobs.pop(_key(signed), None)
    jobs[_key(signed)] = job.pk
    request.session[_SESSION] = dict(list(jobs.items())[-REMEMBERED:])
    return job


def _runner(runner: Any) -> type[JobRunner]:
    found = import_path.resolve(runner) if isinstance(runner, str) else runner
    if not (inspect.isclass(found) and issubclass(found, JobRunner)):
        raise TypeError(f'{runner!r} is no runner; expected a subclass of JobRunner, or its dotted path.')
    return found


def _remembered(request: HttpRequest, signed: str) -> Job | None:
    session: Any = getattr(request, 'session', None)
    key = session.get(_SESSION, {}).get(_key(signed)) if session is not None else None
    if key is None:
        return None
    visible = permissions.visible_jobs(request.user, Job.objects.filter(pk=key))
    return related.defer_large_fields(visible).first()


def _key(signed: str) -> str:
    return sha256(signed.encode()).hexdigest()[:16]

"""Requests in job code: copies that can be stored, and the context in which a copy is processed."""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from typing import Any

from django.conf import settings
from django.dispatch import Signal
from django.utils.datastructures import MultiValueDict

from .registry import registry

__all__ = (
    'NetBoxFakeRequest',
    'apply_request_processors',
    'clear_events',
    'copy_safe_request',
    'current_request',
    'event_tracking',
    'events_queue',
)

logger = logging.getLogger('netbox_jobs')

#: The request that is being processed, or the copy of one; None otherwise.
current_request: ContextVar[Any] = ContextVar('current_request', default=None)
#: Job code may look at it; nothing is put into it, for NetBox's event rules are not here.
events_queue: ContextVar[dict[str, Any]] = ContextVar('events_queue', default={})  # noqa: B039  # as NetBox has it

#: Job code sends it with a request whose changes it has rolled back. Nothing here receives it: there are no events.
clear_events = Signal()

_SECRET_HEADERS = {'HTTP_AUTHORIZATION', 'HTTP_COOKIE', 'HTTP_PROXY_AUTHORIZATION'}
_KEPT = {'CONTENT_LENGTH', 'CONTENT_TYPE', 'QUERY_STRING', 'REQUEST_METHOD'}
_KEPT_BEGINNINGS = ('HTTP_', 'REMOTE_', 'SERVER_')


class NetBoxFakeRequest:
    """What views and jobs need of a request, in a form that can be stored."""

    def __init__(self, attributes: dict[str, Any]) -> None:
        """Args:
        attributes: What the object is to have.
        """
        self.__dict__ = attributes

    def __repr__(self) -> str:
        named = (str(vars(self)[name]) for name in ('method', 'path') if name in vars(self))
        return f'<{" ".join((type(self).__name__, *named))}>'


def copy_safe_request(request: Any, include_files: bool = True) -> NetBoxFakeRequest:
    """Return a copy that can be an argument of a job.

    Passwords stay behind: the headers `Authorization` and `Cookie`, and of the cookies those of the session and of
    CSRF. (NetBox keeps the cookies; but here arguments stay in the database as long as the job.)

    Args:
        request: The request, or such a copy.
        include_files: Whether to copy the uploaded files as well.
    """
    secret = {settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME}
    return NetBoxFakeRequest({
        'META': {name: value for name, value in request.META.items() if _is_kept(name, value)},
        'COOKIES': {name: value for name, value in request.COOKIES.items() if name not in secret},
        'GET': request.GET,
        'POST': request.POST,
        'FILES': request.FILES if include_files else MultiValueDict(),
        'user': request.user,
        'method': request.method,
        'path': request.path,
        'path_info': request.path_info,
        'id': getattr(request, 'id', None),
        'htmx': False,
    })  # fmt: skip


def _is_kept(name: str, value: Any) -> bool:
    if not isinstance(value, str) or name in _SECRET_HEADERS:
        return False
    return name in _KEPT or name.startswith(_KEPT_BEGINNINGS)


@contextmanager
def event_tracking(request: Any) -> Iterator[None]:
    """Make a request the current one. NetBox also records changes and runs event rules here; this does not."""
    token, events = current_request.set(request), events_queue.set({})
    try:
        yield
    finally:
        current_request.reset(token)
        events_queue.reset(events)


@contextmanager
def apply_request_processors(request: Any) -> Iterator[None]:
    """Enter the context managers of `registry['request_processors']`; one that raises is logged and left out."""
    with ExitStack() as stack:
        processors: list[Callable[[Any], AbstractContextManager[Any]]] = registry['request_processors']
        for processor in processors:
            try:
                stack.enter_context(processor(request))
            except Exception:
                logger.warning('The request processor %r could not begin.', processor, exc_info=True)
        yield


registry['request_processors'].append(event_tracking)

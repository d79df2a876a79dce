"""What all views of the API have in common."""

from collections.abc import Callable
from typing import Any

from rest_framework.exceptions import PermissionDenied
from rest_framework.parsers import JSONParser
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.reverse import reverse

from ...core import actors
from . import problems
from .schema import JobsSchema


class JobsAPI:
    """The base of the views. Who the user is, and how often users may ask, is for the project's settings to say."""

    permission_classes: Any = [IsAuthenticated]
    renderer_classes: Any = [JSONRenderer]
    parser_classes: Any = [JSONParser]
    filter_backends: Any = []
    pagination_class: Any = None
    versioning_class: Any = None
    schema: Any = JobsSchema()
    #: The group of the view's operations in the schema.
    noun = ''

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Answer a request; who sends it is set as who acts when it is known."""
        with actors.acting_as(None):
            return super().dispatch(request, *args, **kwargs)  # type: ignore[misc]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse parameters that the view does not have: a misspelt filter would list everything."""
        super().initial(request, *args, **kwargs)  # type: ignore[misc]
        actors.act_as(actors.of_user(request.user, actors.REST))
        method = getattr(self, getattr(self, 'action', None) or str(request.method).lower(), None)
        if (found := getattr(method, 'described', None)) is None:
            return
        known = {each.name for each in found['parameters']}
        if found['pages']:
            known |= {'limit', 'cursor'}
        if getattr(self, 'action', None) == 'list' and (filters := getattr(self, 'filterset_class', None)):
            known |= set(filters.base_filters)
        if unknown := sorted(set(request.query_params) - known):
            raise problems.BadQuery(dict.fromkeys(unknown, 'There is no such parameter.'))

    def get_exception_handler(self) -> Callable[..., Any]:
        """Return the function that makes answers of errors."""
        return problems.handle


def require(allowed: bool) -> None:
    """Raise `PermissionDenied` unless it is allowed."""
    if not allowed:
        raise PermissionDenied


def address(request: Request, name: str, *args: Any) -> str:
    """Return the address of a view of this API, wherever it is included."""
    match = request.resolver_match
    namespace = match.namespace if match is not None and match.namespace else 'netbox_jobs_api'
    return str(reverse(f'{namespace}:{name}', args=args, request=request))

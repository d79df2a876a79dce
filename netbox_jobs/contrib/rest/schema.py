"""The operations of the API in an OpenAPI document."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeVar

from drf_spectacular.generators import EndpointEnumerator, SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse

from ... import __version__
from .problems import CONTENT_TYPE, ProblemSerializer

F = TypeVar('F', bound=Callable[..., Any])


def described(
    *,
    response: Any,
    request: Any = None,
    status: int = 200,
    media_type: str = 'application/json',
    parameters: tuple[OpenApiParameter, ...] = (),
    problems: tuple[int, ...] = (),
    pages: bool = False,
) -> Callable[[F], F]:
    """Describe a method of a view; its docstring is the text.

    (Not by `extend_schema()`, whose class is that of the project's settings.)

    Args:
        response: The serializer of the answer; None without a body.
        request: The serializer of the body.
        status: The status of the answer.
        media_type: Of the answer.
        parameters: Parameters of the address, apart from those of pages and filters.
        problems: With which statuses it is refused, apart from 400, 401 and 403.
        pages: Whether it answers with pages.
    """

    def describe(method: F) -> F:
        method.described = {  # type: ignore[attr-defined]
            'request': request,
            'response': {(status, media_type): OpenApiResponse(response, description='')},
            'parameters': parameters,
            'pages': pages,
            'problems': problems,
        }
        return method

    return describe


class JobsSchema(AutoSchema):
    """Reads what `described()` says of a view's methods."""

    view: Any

    @property
    def _action(self) -> str:
        return str(getattr(self.view, 'action', None) or self.method.lower())

    @property
    def _described(self) -> dict[str, Any]:
        found: dict[str, Any] = getattr(getattr(self.view, self._action), 'described')  # noqa: B009
        return found

    def get_operation_id(self) -> str:
        """Return the name of the function of generated clients."""
        own = getattr(self.view, 'operation', None)
        return str(own) if own else f'{self.view.noun}_{self._action}'

    def get_tags(self) -> list[str]:
        """Return the group of the operation."""
        return [self.view.noun]

    def get_description(self) -> str:  # type: ignore[override]
        """Return the docstring of the method."""
        return (getattr(self.view, self._action).__doc__ or '').strip()

    def get_override_parameters(self) -> Any:
        """Return the parameters that are named."""
        own = self._described['parameters']
        by_number = getattr(self.view, 'queryset', None) is not None and '{id}' in self.path
        return (*own, OpenApiParameter('id', int, OpenApiParameter.PATH)) if by_number else own

    def get_filter_backends(self) -> Any:
        """Return the filters of a list of all rows, which those of one row's parts do not have."""
        return super().get_filter_backends() if self._action == 'list' else []

    def get_serializer_name(self, serializer: Any, direction: Any) -> str:
        """Return a name that none of the project's own serializers is likely to have."""
        name = super().get_serializer_name(serializer, direction).removesuffix('Serializer')
        return name if '_' in name else f'Background{name}' if name.startswith('Job') else f'Job{name}'

    def get_request_serializer(self) -> Any:
        """Return the serializer of the body, if there is one."""
        request = self._described['request']
        return self.view.get_body_class() if request is dynamic else request

    def get_response_serializers(self) -> Any:
        """Return the serializer of the answer."""
        return self._described['response']

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        """Return the operation, with its problems."""
        operation = super().get_operation(*args, **kwargs)
        if operation is not None:
            for parameter in operation.get('parameters', ()):
                if parameter['schema'] == {'type': 'string'}:
                    parameter['schema'] = {'type': 'string', 'pattern': r'^[^\x00]*$'}
            if getattr(self.get_request_serializer(), 'needs_a_member', False):
                operation['requestBody']['required'] = True
            component = self.resolve_serializer(ProblemSerializer, 'response')
            content = {CONTENT_TYPE: {'schema': component.ref}}
            for status in (400, 401, 403, *self._described['problems']):
                operation['responses'][str(status)] = {'content': content, 'description': HTTPStatus(status).phrase}
        return operation


#: Stands for the serializer of the body that `get_body_class()` of the view returns.
dynamic = object()


class _Endpoints(EndpointEnumerator):
    def get_api_endpoints(self, patterns: Any = None, prefix: str = '') -> Any:
        """Return the addresses of this API."""
        found = super().get_api_endpoints(patterns, prefix)
        return [each for each in found if isinstance(each[3].cls.schema, JobsSchema)]


class JobsSchemaGenerator(SchemaGenerator):
    """Describes this API alone. (The document of the project has it as well, with all its other addresses.)"""

    endpoint_inspector_cls = _Endpoints

    def get_schema(self, request: Any = None, public: bool = False) -> Any:
        """Return the document."""
        document = super().get_schema(request=request, public=public)
        document['info'] = {'title': 'Background jobs', 'version': __version__}
        return document

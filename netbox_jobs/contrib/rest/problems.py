"""Errors as problem details (RFC 9457)."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.response import Response
from rest_framework.views import exception_handler

CONTENT_TYPE = 'application/problem+json'
#: The codes of errors of a request that is well-formed, and that the state of the project does not allow.
UNKNOWN, REFUSED = 'unknown', 'refused'
#: How many errors of a request the sentence in `detail` has.
_NAMED = 3


class Conflict(APIException):
    """The state of the job, the schedule or the queue does not allow the request."""

    status_code = 409
    default_code = 'conflict'


class BadQuery(ValidationError):
    """A parameter of the address is not acceptable."""


class ErrorSerializer(serializers.Serializer[Any]):
    """One error of a request that was refused."""

    pointer = serializers.CharField(required=False, help_text='The member of the body, as a JSON pointer')
    parameter = serializers.CharField(required=False, help_text='Or the parameter of the address')
    detail = serializers.CharField()
    code = serializers.CharField()


class ProblemSerializer(serializers.Serializer[Any]):
    """Why a request was refused."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField(help_text='A word for programs')
    errors = ErrorSerializer(many=True, required=False)  # type: ignore[assignment]


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """Answer with the problem; None for an error that is not the client's, which Django handles."""
    response = exception_handler(error, context)
    if response is None:
        return None
    if isinstance(error, ValidationError):
        kind = 'parameter' if isinstance(error, BadQuery) else 'pointer'
        errors = [{kind: place, **said} for place, said in _flat(error.detail, kind)]
        codes = {each['code'] for each in errors}
        if codes <= {UNKNOWN, REFUSED}:
            response.status_code = Conflict.status_code
        named = '; '.join(f'{each[kind]}: {each["detail"]}' for each in errors[:_NAMED])
        own = {'detail': named, 'code': codes.pop() if len(codes) == 1 else 'invalid', 'errors': errors}
    else:
        detail: Any = response.data['detail'] if isinstance(response.data, dict) else response.data
        own = {'detail': str(detail), 'code': getattr(detail, 'code', 'error')}
    status = response.status_code
    response.data = {'type': 'about:blank', 'title': HTTPStatus(status).phrase, 'status': status, **own}
    response.content_type = CONTENT_TYPE
    return response


def _flat(detail: Any, kind: str, place: str = '') -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the places of the errors, with what is wrong there."""
    if isinstance(detail, dict):
        for name, each in detail.items():
            name = '' if name == 'non_field_errors' else str(name).replace('~', '~0').replace('/', '~1')
            yield from _flat(each, kind, f'{place}/{name}' if kind == 'pointer' and name else place or name)
    elif isinstance(detail, list):
        for number, each in enumerate(detail):
            # A list of errors of one value; or the errors of the items of a list, by their position.
            yield from _flat(each, kind, f'{place}/{number}' if isinstance(each, dict) else place)
    else:
        yield f'#{place}' if kind == 'pointer' else place, {'detail': str(detail), 'code': detail.code}

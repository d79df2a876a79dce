"""Pages by cursor: each costs the same, wherever it is in the list."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

from django.db.models import Q, QuerySet
from rest_framework.exceptions import NotFound
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from .problems import BadQuery

#: How many rows a page has, and how many at most.
DEFAULT, MOST = 50, 1000


class KeysetPagination(BasePagination):
    """A page begins after the last row of the page before, by a column that an index has, and the primary key.

    A view says by which: `get_order()` returns the name of the field, with a minus for a descending order.
    """

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        """Return the rows of the page, and remember where the next one begins."""
        self.request, self.following = request, ''
        limit, order = _limit(request), view.get_order()
        given = request.query_params.get('cursor', '')
        rows = page(queryset, order, _position(given, order, queryset) if given else None, limit + 1)
        if len(rows) > limit:
            last = rows[limit - 1]
            self.following = _cursor(order, getattr(last, order.lstrip('-')), last.pk)
        return rows[:limit]

    def get_paginated_response(self, data: Any) -> Response:
        """Return the page, with the address of the next one."""
        here = self.request.build_absolute_uri()
        following = replace_query_param(here, 'cursor', self.following) if self.following else None
        return Response({'next': following, 'results': data})

    def get_paginated_response_schema(self, schema: Any) -> dict[str, Any]:
        """Describe a page."""
        following = {'type': 'string', 'nullable': True, 'format': 'uri', 'description': 'The address of the next page'}
        return {
            'type': 'object',
            'required': ['next', 'results'],
            'properties': {'next': following, 'results': schema},
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Describe the parameters."""
        limit = {'type': 'integer', 'minimum': 1, 'maximum': MOST, 'default': DEFAULT}
        return [
            {'name': 'limit', 'in': 'query', 'description': 'How many rows the page has at most', 'schema': limit},
            {
                'name': 'cursor',
                'in': 'query',
                'description': 'Where the page begins; follow the `next` of the page before',
                'schema': {'type': 'string'},
            },
        ]


def page(queryset: 'QuerySet[Any]', order: str, after: tuple[Any, int] | None, limit: int) -> list[Any]:
    """Return the first rows after a position.

    Args:
        queryset: The rows, without an order.
        order: The name of a field, with a minus for a descending order. Rows without a value come last.
        after: The value and the key of the row before; None for the beginning.
        limit: How many rows at most.
    """
    field, sign = order.lstrip('-'), '-' if order.startswith('-') else ''
    beyond = 'lt' if sign else 'gt'
    by_key = queryset.order_by(f'{sign}pk')
    if field == 'pk':
        return list((by_key if after is None else by_key.filter(**{f'pk__{beyond}': after[1]}))[:limit])
    found: list[Any] = []
    if after is None or after[0] is not None:
        rows = queryset.filter(**{f'{field}__isnull': False}).order_by(order, f'{sign}pk')
        if after is not None:
            # The first condition alone is one that a database looks up in the index.
            rows = rows.filter(**{f'{field}__{beyond}e': after[0]})
            rows = rows.filter(Q(**{f'{field}__{beyond}': after[0]}) | Q(**{f'pk__{beyond}': after[1]}))
        found, after = list(rows[:limit]), None
    if len(found) < limit and queryset.model._meta.get_field(field).null:
        rest = by_key.filter(**{f'{field}__isnull': True})
        if after is not None:
            rest = rest.filter(**{f'pk__{beyond}': after[1]})
        found += rest[: limit - len(found)]
    return found


def _limit(request: Request) -> int:
    given = request.query_params.get('limit', str(DEFAULT))
    limit = int(given) if given.isascii() and given.isdigit() and len(given) < 10 else 0
    if not 1 <= limit <= MOST:
        raise BadQuery({'limit': f'Expected a number from 1 to {MOST}.'})
    return limit


def _cursor(order: str, value: Any, key: int) -> str:
    text = json.dumps([order, value if value is None or isinstance(value, int) else value.isoformat(), key])
    return urlsafe_b64encode(text.encode()).decode().rstrip('=')


def _position(text: str, order: str, queryset: 'QuerySet[Any]') -> tuple[Any, int]:
    try:
        found_order, value, key = json.loads(urlsafe_b64decode(text + '=' * (-len(text) % 4)))
        if found_order == order and isinstance(key, int):
            field = queryset.model._meta.pk if order.lstrip('-') == 'pk' else None
            field = field or queryset.model._meta.get_field(order.lstrip('-'))
            return field.to_python(value), key
    except Exception:  # whatever the text is, it is none of ours
        pass
    raise NotFound('There is no such page: the cursor is not one of this list with these filters.')

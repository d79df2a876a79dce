"""Pages by cursor: each costs the same, wherever it is in the list."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Any

from django.db import connections
from django.db.models import Q, QuerySet
from rest_framework.exceptions import NotFound
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from .problems import BadQuery

#: How many rows a page has, and how many at most.
DEFAULT, MOST = 50, 1000


@dataclass(frozen=True)
class Order:
    """By what rows are sorted, as an index has it: by a field, and by their keys."""

    #: The name of the field. Rows without a value in it come last.
    field: str = 'pk'
    descending: bool = False
    #: Whether rows with one value are sorted by descending keys.
    keys_descending: bool = False
    #: A field that the index has before this one, and the one value of it that the rows have.
    leading: tuple[str, str] | None = None

    @property
    def name(self) -> str:
        """What a cursor says of it."""
        return f'{"-" if self.descending else ""}{self.field}'


class KeysetPagination(BasePagination):
    """A page begins after the last row of the page before. A view's `get_order()` says by which order."""

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        """Return the rows of the page, and remember where the next one begins."""
        self.request, self.following = request, ''
        limit, order = _limit(request), view.get_order()
        given = request.query_params.get('cursor', '')
        rows = page(queryset, order, _position(given, order, queryset) if given else None, limit + 1)
        if len(rows) > limit:
            last = rows[limit - 1]
            self.following = _cursor(order, getattr(last, order.field), last.pk)
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


def page(queryset: 'QuerySet[Any]', order: Order, after: tuple[Any, int] | None, limit: int) -> list[Any]:
    """Return the first rows after a position.

    Args:
        queryset: The rows, without an order.
        order: The order.
        after: The value and the key of the row before; None for the beginning.
        limit: How many rows at most.
    """
    first, queryset = _leading(queryset, order)
    field, sign, key_sign = order.field, '-' if order.descending else '', '-' if order.keys_descending else ''
    beyond, keys_beyond = 'lt' if sign else 'gt', 'lt' if key_sign else 'gt'
    by_key = queryset.order_by(*first, f'{key_sign}pk')
    if field == 'pk':
        return list((by_key if after is None else by_key.filter(**{f'pk__{keys_beyond}': after[1]}))[:limit])
    found: list[Any] = []
    if after is None or after[0] is not None:
        rows = queryset.filter(**{f'{field}__isnull': False}).order_by(*first, f'{sign}{field}', f'{key_sign}pk')
        if after is not None:
            # The first condition alone is one that a database looks up in the index.
            rows = rows.filter(**{f'{field}__{beyond}e': after[0]})
            rows = rows.filter(Q(**{f'{field}__{beyond}': after[0]}) | Q(**{f'pk__{keys_beyond}': after[1]}))
        found, after = list(rows[:limit]), None
    if len(found) < limit and queryset.model._meta.get_field(field).null:
        rest = by_key.filter(**{f'{field}__isnull': True})
        if after is not None:
            rest = rest.filter(**{f'pk__{keys_beyond}': after[1]})
        found += rest[: limit - len(found)]
    return found


def _leading(queryset: 'QuerySet[Any]', order: Order) -> tuple[list[str], 'QuerySet[Any]']:
    """Return by what to sort first, and the rows with the leading value.

    For an equality, MariaDB enters the index at its end and reads all pages before the wanted one; for a range of one
    value, it enters it where the page begins.
    """
    if order.leading is None:
        return [], queryset
    field, value = order.leading
    if connections[queryset.db].vendor != 'mysql':
        return [], queryset.filter(**{field: value})
    return [f'-{field}'], queryset.filter(**{f'{field}__gte': value, f'{field}__lte': value})


def _limit(request: Request) -> int:
    given = request.query_params.get('limit', str(DEFAULT))
    limit = int(given) if given.isascii() and given.isdigit() and len(given) < 10 else 0
    if not 1 <= limit <= MOST:
        raise BadQuery({'limit': f'Expected a number from 1 to {MOST}.'})
    return limit


def _cursor(order: Order, value: Any, key: int) -> str:
    text = json.dumps([order.name, value if value is None or isinstance(value, int) else value.isoformat(), key])
    return urlsafe_b64encode(text.encode()).decode().rstrip('=')


def _position(text: str, order: Order, queryset: 'QuerySet[Any]') -> tuple[Any, int]:
    try:
        found_order, value, key = json.loads(urlsafe_b64decode(text + '=' * (-len(text) % 4)))
        if found_order == order.name and isinstance(key, int):
            fields = queryset.model._meta
            return (fields.pk if order.field == 'pk' else fields.get_field(order.field)).to_python(value), key
    except Exception:  # whatever the text is, it is none of ours
        pass
    raise NotFound('There is no such page: the cursor is not one of this list with these filters.')

"""Fields for the arguments of `run()`, by their annotations. Each takes values of its JSON type only."""

import collections.abc
import datetime
import decimal
import enum
import inspect
import types
import typing
import uuid
from typing import Any

from django.apps import apps
from django.contrib.auth import get_permission_codename
from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Model
from rest_framework import serializers


class Strict(serializers.Field[Any, Any, Any, Any]):
    """A field that converts no value of another JSON type."""

    json_types: tuple[type, ...] = (str,)

    def to_internal_value(self, data: Any) -> Any:
        """Refuse other types."""
        if type(data) not in self.json_types:
            names = ' or '.join(_JSON_NAMES[kind] for kind in self.json_types)
            raise serializers.ValidationError(f'Expected a JSON {names}.', code='type')
        return super().to_internal_value(data)


_JSON_NAMES = {str: 'string', int: 'number', float: 'number with decimals', bool: 'boolean'}


class Text(Strict, serializers.CharField):
    """A string."""


class Whole(Strict, serializers.IntegerField):
    """An integer."""

    json_types = (int,)


class Number(Strict, serializers.FloatField):
    """A number."""

    json_types = (int, float)


class Flag(Strict, serializers.BooleanField):
    """A boolean."""

    json_types = (bool,)


class Choice(Strict, serializers.ChoiceField):
    """One of several strings, or of several integers."""

    json_types = (str, int)


class Member(Choice):
    """A member of an enumeration, by its value."""

    def __init__(self, kind: type[enum.Enum], **kwargs: Any) -> None:
        """Args:
        kind: The enumeration.
        """
        self.kind = kind
        super().__init__(choices=[member.value for member in kind], **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        """Return the member."""
        return self.kind(super().to_internal_value(data))


class Moment(Strict, serializers.DateTimeField):
    """A date and a time."""


class Day(Strict, serializers.DateField):
    """A date."""


class Time(Strict, serializers.TimeField):
    """A time of day."""


class Amount(Strict, serializers.DecimalField):
    """A decimal number, as a string."""


class Duration(Strict, serializers.DurationField):
    """A duration."""


class Identifier(Strict, serializers.UUIDField):
    """A UUID."""


class Instance(serializers.Field[Any, Any, Any, Any]):
    """An object that the user may view, by its primary key."""

    def __init__(self, model: type[Model], **kwargs: Any) -> None:
        """Args:
        model: The model of the object.
        """
        self.model = model
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> Any:
        """Return the object."""
        return visible_object(self.model, data, self.context['request'].user)

    def to_representation(self, value: Any) -> Any:
        """Return its key."""
        return value.pk


def visible_object(model: type[Model], key: Any, user: Any) -> Model:
    """Return the object of this key.

    Raises:
        ValidationError: There is none, or the user may not view it.
    """
    meta = model._meta
    permission = f'{meta.app_label}.{get_permission_codename("view", meta)}'
    if user.has_perm(permission) and isinstance(key, str | int) and not isinstance(key, bool):
        try:
            return model._base_manager.get(pk=key)
        except (ObjectDoesNotExist, ValueError, TypeError, OverflowError):
            pass
    raise serializers.ValidationError(f'There is no {meta.label_lower} {key!r} that you may view.', code='unknown')


class ObjectSerializer(serializers.Serializer[Any]):
    """The object that a job is about."""

    object_type = Text(help_text='Its model, such as app.model')
    object_id = Text(help_text='Its primary key')

    def to_internal_value(self, data: Any) -> Any:
        """Return the object."""
        given = super().to_internal_value(data)
        try:
            model = apps.get_model(given['object_type'])
        except (LookupError, ValueError):
            raise serializers.ValidationError({'object_type': 'There is no such model.'}, code='unknown') from None
        return visible_object(model, given['object_id'], self.context['request'].user)


_SIMPLE: dict[Any, tuple[type[serializers.Field[Any, Any, Any, Any]], dict[str, Any]]] = {
    str: (Text, {'allow_blank': True, 'trim_whitespace': False}),
    int: (Whole, {}),
    float: (Number, {}),
    bool: (Flag, {}),
    decimal.Decimal: (Amount, {'max_digits': None, 'decimal_places': None}),
    datetime.datetime: (Moment, {}),
    datetime.date: (Day, {}),
    datetime.time: (Time, {}),
    datetime.timedelta: (Duration, {}),
    uuid.UUID: (Identifier, {}),
}
_LISTS = (list, tuple, set, frozenset, collections.abc.Sequence, collections.abc.Iterable, collections.abc.Collection)
_DICTS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)


def field_for(annotation: Any, **kwargs: Any) -> serializers.Field[Any, Any, Any, Any]:
    """Return the field for a parameter; one that takes any JSON value for an annotation of another kind.

    Args:
        annotation: The annotation.
        **kwargs: The arguments of the field.
    """
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return field_for(inner[0], **kwargs)
    if origin in (typing.Union, types.UnionType) and type(None) in inner:
        others = [each for each in inner if each is not type(None)]
        return field_for(others[0] if len(others) == 1 else Any, **kwargs, allow_null=True)
    if origin is typing.Literal and all(type(each) in (str, int) for each in inner):
        return Choice(choices=list(inner), **kwargs)
    if annotation in _SIMPLE:
        kind, options = _SIMPLE[annotation]
        return kind(**options, **kwargs)
    if (origin or annotation) in _LISTS:
        return serializers.ListField(child=field_for(inner[0] if inner else Any), **kwargs)
    if (origin or annotation) in _DICTS:
        return serializers.DictField(child=field_for(inner[1] if len(inner) == 2 else Any), **kwargs)
    if inspect.isclass(annotation) and issubclass(annotation, Model):
        return Instance(annotation, **kwargs)
    if inspect.isclass(annotation) and issubclass(annotation, enum.Enum):
        return Member(annotation, **kwargs)
    return serializers.JSONField(**{'allow_null': True, **kwargs})

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
from django.core.validators import ProhibitNullCharactersValidator
from django.db.models import Model
from django.utils.dateparse import parse_duration, parse_time
from rest_framework import serializers

from .problems import UNKNOWN


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
    """A string, of any characters: the arguments of a job are stored as bytes."""

    def __init__(self, **kwargs: Any) -> None:
        """Args:
        **kwargs: See `CharField`.
        """
        super().__init__(**kwargs)
        self.validators = [each for each in self.validators if not isinstance(each, ProhibitNullCharactersValidator)]


class Word(Strict, serializers.RegexField):
    """A string that a database can compare."""

    def __init__(self, **kwargs: Any) -> None:
        """Args:
        **kwargs: See `CharField`.
        """
        super().__init__(r'^[^\x00]*$', allow_blank=True, **kwargs)


class Name(Strict, serializers.RegexField):
    """A string that a database can compare, and that is not empty."""

    def __init__(self, **kwargs: Any) -> None:
        """Args:
        **kwargs: See `CharField`.
        """
        super().__init__(r'^[^\x00]+$', trim_whitespace=False, **kwargs)


class StrictSerializer(serializers.Serializer[Any]):
    """A body that has no other members: a misspelt one is refused."""

    #: Whether it has others nevertheless.
    takes_others = False
    #: Whether it must have a member, whichever.
    needs_a_member = False

    def to_internal_value(self, data: Any) -> Any:
        """Refuse other members."""
        found = super().to_internal_value(data)
        unexpected = [] if self.takes_others else sorted(map(str, set(data) - set(self.fields)))
        if unexpected:
            error = serializers.ErrorDetail('There is no such member.', 'unexpected')
            raise serializers.ValidationError(dict.fromkeys(unexpected, error))
        if self.needs_a_member and not found:
            raise serializers.ValidationError({'non_field_errors': ['Expected at least one member.']}, code='required')
        return found


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


class Patterned(Strict, serializers.RegexField):
    """A string of a pattern, which the schema has as well, converted."""

    pattern = ''

    def __init__(self, **kwargs: Any) -> None:
        """Args:
        **kwargs: See `CharField`.
        """
        super().__init__(self.pattern, **kwargs)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        """Return the value that matches, converted."""
        found = super().run_validation(data)
        return self.convert(found) if isinstance(found, str) else found

    def convert(self, text: str) -> Any:
        """Return the value of a text that matches."""
        raise NotImplementedError


class Amount(Patterned):
    """A decimal number."""

    pattern = r'^-?[0-9]{1,30}(\.[0-9]{1,30})?$'
    convert = staticmethod(decimal.Decimal)  # type: ignore[assignment]


class Time(Patterned):
    """A time of day."""

    pattern = r'^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?$'
    convert = staticmethod(parse_time)  # type: ignore[assignment]


class Duration(Patterned):
    """A duration: days if there are any, hours, minutes and seconds."""

    pattern = r'^-?([0-9]{1,6} )?([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?$'
    convert = staticmethod(parse_duration)  # type: ignore[assignment]


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
    raise serializers.ValidationError(f'There is no {meta.label_lower} {key!r} that you may view.', code=UNKNOWN)


class ObjectSerializer(StrictSerializer):
    """The object that a job is about."""

    object_type = Name(help_text='Its model, such as app.model')
    object_id = Word(help_text='Its primary key')

    def to_internal_value(self, data: Any) -> Any:
        """Return the object."""
        given = super().to_internal_value(data)
        try:
            model = apps.get_model(given['object_type'])
        except (LookupError, ValueError):
            raise serializers.ValidationError({'object_type': 'There is no such model.'}, code=UNKNOWN) from None
        return visible_object(model, given['object_id'], self.context['request'].user)


_SIMPLE: dict[Any, tuple[type[serializers.Field[Any, Any, Any, Any]], dict[str, Any]]] = {
    str: (Text, {'allow_blank': True, 'trim_whitespace': False}),
    int: (Whole, {}),
    float: (Number, {}),
    bool: (Flag, {}),
    decimal.Decimal: (Amount, {}),
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

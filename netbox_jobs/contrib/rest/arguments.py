"""The arguments of `run()` as a JSON object, by its signature."""

import inspect
import typing
from typing import Any

from drf_spectacular.extensions import OpenApiSerializerExtension, OpenApiSerializerFieldExtension
from rest_framework import serializers

from ...core import order
from ...core.import_path import path_of
from ...core.options import parameters_of
from ...execution.runner import JobRunner
from .fields import Instance, Moment, ObjectSerializer, StrictSerializer, Text, Whole, field_for
from .problems import REFUSED

_PRIORITY = 'The priority within its queue; more is sooner'
#: Names under which `run()` receives something else.
_TAKEN = {'self', 'job', 'run_arguments'}


class ArgumentsSerializer(StrictSerializer):
    """The arguments of a runner's `run()`: those without a default are required, and no others are taken.

    Others are passed on as they are if `run()` has `**kwargs`.
    """

    def to_internal_value(self, data: Any) -> Any:
        """Return the arguments."""
        found = super().to_internal_value(data)
        others = {name: value for name, value in data.items() if name not in self.fields}
        if taken := sorted(_TAKEN & set(others)):
            error = serializers.ErrorDetail('run() does not take it from callers.', REFUSED)
            raise serializers.ValidationError(dict.fromkeys(taken, error))
        return {**found, **others}


def arguments_of(runner: type[JobRunner]) -> type[ArgumentsSerializer]:
    """Return the serializer of the arguments of a runner."""
    fields: dict[str, Any] = {}
    takes_others = False
    hints = _hints(runner.run)
    for parameter in parameters_of(runner.run)[1:]:
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            takes_others = True
        elif parameter.kind in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY):
            required = parameter.default is inspect.Parameter.empty
            fields[parameter.name] = field_for(hints.get(parameter.name, Any), required=required)
    doc = {'__doc__': f'The arguments of {path_of(runner)}.', 'takes_others': takes_others}
    return type(f'{name_of(runner)}Arguments', (ArgumentsSerializer,), {**fields, **doc})


def body_of(runner: type[JobRunner]) -> type[serializers.Serializer[Any]]:
    """Return the serializer of the body of a request that enqueues a job."""
    arguments = arguments_of(runner)
    required = any(field.required for field in arguments().fields.values())
    fields = {
        'arguments': arguments(required=required),
        'instance': ObjectSerializer(required=False, allow_null=True, help_text='The object that the job is about'),
        'schedule_at': Moment(required=False, allow_null=True, help_text='When to run it; now if omitted'),
        'priority': Whole(
            required=False, allow_null=True, min_value=order.LEAST, max_value=order.MOST, help_text=_PRIORITY
        ),
        'name': Text(required=False, allow_blank=True, max_length=200, help_text='A name for people'),
    }
    return type(f'{name_of(runner)}Enqueue', (StrictSerializer,), {**fields, '__doc__': 'What to enqueue.'})


def name_of(runner: type[JobRunner]) -> str:
    """Return the name that stands for a runner in the schema: its path, in one word."""
    return path_of(runner).replace('.', '_')


def _hints(run: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(run, include_extras=True)
    except Exception:  # names that are imported for type checkers alone
        return {}


class _StrictInSchema(OpenApiSerializerExtension):
    """Says whether other members are taken."""

    target_class = StrictSerializer
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> Any:
        """Return the schema of the object."""
        found = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        if self.target.needs_a_member:
            found = {**found, 'minProperties': 1}
        return {**found, 'additionalProperties': {} if self.target.takes_others else False}


class _InstanceInSchema(OpenApiSerializerFieldExtension):
    """A primary key: an integer or a string."""

    target_class = Instance

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> Any:
        """Return the schema of the key."""
        return {'oneOf': [{'type': 'integer'}, {'type': 'string'}]}

"""The arguments of a call, as the row stores them: encoded, signed, and shown without decoding.

Saved model instances are stored as references (model, primary key, alias of the database that they are written to)
and fetched again when the job runs, so that it sees them as they are then. What is stored is refused when its signature
does not fit: it covers the job's id, the callable's path, the context and the arguments, and honours
`SECRET_KEY_FALLBACKS`.
"""

import io
import json
import pickle  # nosec B403  # what is unpickled carries our signature
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, ObjectDoesNotExist
from django.db import DatabaseError
from django.db.models import Model
from django.utils.crypto import constant_time_compare
from django.utils.dateparse import parse_date, parse_datetime, parse_duration
from django.utils.duration import duration_iso_string

from ..exceptions import ArgumentsRefused, ArgumentsTooLarge, ArgumentsUnknown, FormatUnknown, InstanceGone
from . import conf, encryption
from .home import home_of, key_of
from .shown import show, show_names
from .signing import sign
from .text import described

Kwargs = dict[str, Any]

#: How the error of a job begins whose signature does not fit.
NOT_SIGNED = 'The arguments of this job are not signed'


@dataclass(frozen=True, slots=True)
class Stored:
    """What a row keeps of a call's arguments."""

    format: str
    payload: bytes
    shown: str

    def signature(self, job_id: UUID | str, path: str, context: str) -> str:
        """Sign for one job, one callable and one context (see `contexts.signed_text()`); a copy needs its own."""
        return sign(self.format, self.payload, job_id, path, context, settings.SECRET_KEY)


def encode(
    kwargs: Kwargs, sensitive: frozenset[str] = frozenset(), *, encrypted: bool = False, what: str = ''
) -> Stored:
    """Encode keyword arguments in the configured format.

    Args:
        kwargs: The arguments.
        sensitive: The names of those whose values are not to be shown.
        encrypted: Whether to encrypt them; then, people are shown their names alone.
        what: What messages call the one value, if it is no argument: such as "The result of the step 'fetch'".

    Raises:
        TypeError: An argument cannot be stored; the message names it.
        ArgumentsTooLarge: Together they exceed `ARGUMENTS_MAX_SIZE` bytes.
    """
    name = conf.get('ARGUMENTS_FORMAT')
    codec = _codec(name)
    try:
        payload = codec[0](kwargs) if kwargs else b''
    except Exception as error:
        raise _unstorable(kwargs, codec[0], name, what, error) from error
    limit = conf.get('ARGUMENTS_MAX_SIZE')
    if len(payload) > limit:
        largest = max(kwargs, key=lambda key: len(codec[0]({key: kwargs[key]})))
        size = f'{len(payload):,} bytes'
        takes = f'{what} takes {size}' if what else f'The arguments of this job take {size}, the most by {largest!r}'
        raise ArgumentsTooLarge(
            f'{takes}; at most {limit:,} are allowed. Use a reference (a saved object, a path, a key) instead of the '
            "data, or raise NETBOX_JOBS['ARGUMENTS_MAX_SIZE']."
        )
    if encrypted:
        return Stored(name + encryption.SUFFIX, encryption.encrypt(payload), show_names(kwargs))
    return Stored(name, payload, show(kwargs, sensitive))


def identity(kwargs: Kwargs) -> bytes:
    """Return what is the same for arguments that are equal, whatever the order of dictionaries and sets.

    What JSON cannot represent is compared as it is pickled.
    """
    return json.dumps({name: _comparable(value) for name, value in kwargs.items()}, sort_keys=True).encode()


def _comparable(value: Any) -> Any:
    try:
        plain = _plain(value)
    except TypeError:
        return ['pickle', _pickle({'': value}).hex()]
    return ['json', _ordered(plain)]


def _ordered(plain: Any) -> Any:
    if isinstance(plain, list):
        return [_ordered(item) for item in plain]
    if not isinstance(plain, dict):
        return plain
    ordered = {key: _ordered(item) for key, item in plain.items()}
    if '$' in ordered and ordered['$'][0] in ('set', 'frozenset', 'dict'):
        tag, *items = ordered['$']
        return {'$': [tag, *sorted(items, key=lambda item: json.dumps(item, sort_keys=True))]}
    return ordered


def decode(format: str, payload: bytes, signature: str, job_id: UUID | str, path: str, context: str) -> Kwargs:
    """Check the signature, then decode.

    Raises:
        ArgumentsRefused: The signature does not fit, or the JSON-only mode meets pickled arguments.
        InstanceGone: An object among the arguments no longer exists.
        ArgumentsUnknown: They are ours, and other code than that of this process has stored them.
    """
    verify(format, payload, signature, job_id, path, context)
    kind = format.removesuffix(encryption.SUFFIX)
    if kind == 'pickle' and conf.get('ARGUMENTS_FORMAT') == 'json':
        raise ArgumentsRefused(
            "The arguments of this job are pickled; NETBOX_JOBS['ARGUMENTS_FORMAT'] is 'json': they are not decoded."
        )
    if kind not in ('pickle', 'json'):
        raise FormatUnknown(
            f'The arguments of this job are stored as {format!r}, by another release of netbox_jobs than that of this '
            'worker: restart it with that one.'
        )
    if kind != format:
        payload = encryption.decrypt(payload)
    if not payload:
        return {}
    try:
        return _codec(kind)[1](payload)
    except (DatabaseError, InstanceGone):
        raise
    except Exception as error:  # we have stored them, so that other code can read them
        raise ArgumentsUnknown(
            f'The arguments of this job cannot be read by the code of this process ({described(error)}): it lacks a '
            'class among them, or has another version of it.'
        ) from error


def verify(format: str, payload: bytes, signature: str, job_id: UUID | str, path: str, context: str) -> None:
    """Raise `ArgumentsRefused` unless we signed exactly this, with a secret key that is still honoured."""
    for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        if constant_time_compare(signature, sign(format, payload, job_id, path, context, key)):
            return
    raise ArgumentsRefused(
        f'{NOT_SIGNED} with a SECRET_KEY of this process: they were changed outside the '
        'app, or the key was rotated without keeping the old one in SECRET_KEY_FALLBACKS. They are not decoded.'
    )


def same(stored: Stored, format: str, payload: bytes) -> bool:
    """Return whether encoded arguments are those that a row has."""
    if stored.format != format:
        return False
    if not encryption.is_encrypted(format):
        return stored.payload == payload
    try:
        return encryption.decrypt(stored.payload) == encryption.decrypt(payload)
    except ArgumentsUnknown:
        return False


def _unstorable(kwargs: Kwargs, dump: Callable[[Kwargs], bytes], format: str, what: str, error: Exception) -> TypeError:
    for name, value in kwargs.items():
        try:
            dump({name: value})
        except Exception as cause:
            return TypeError(
                f'{what or f"The argument {name!r}"} ({type(value).__name__}) cannot be stored as {format}: {cause}. '
                'Pass plain data or saved model instances.'
            )
    return TypeError(f'The arguments cannot be stored as {format}: {error}.')


def _codec(format: str) -> tuple[Callable[[Kwargs], bytes], Callable[[bytes], Kwargs]]:
    match format:
        case 'pickle':
            return _pickle, _unpickle
        case 'json':
            return _to_json, _from_json
    raise ImproperlyConfigured(f"NETBOX_JOBS['ARGUMENTS_FORMAT'] is {format!r}; expected 'pickle' or 'json'.")


# References to saved model instances


def _reference(value: Any) -> tuple[str, str, str, str | None] | None:
    if not isinstance(value, Model) or value._state.adding or value.pk is None:
        return None
    pk = key_of(value) if isinstance(value.pk, str) else value._meta.pk.value_to_string(value)
    return value._meta.app_label, value._meta.object_name or '', pk, home_of(value)


def _fetch(app_label: str, name: str, pk: str, alias: str | None) -> Model:
    model = apps.get_model(app_label, name)
    try:
        return model._base_manager.using(alias).get(pk=pk)
    except ObjectDoesNotExist:
        raise InstanceGone(
            f'{model._meta.verbose_name} {pk} ({app_label}.{name}), an argument of this job, no longer exists.'
        ) from None


# Pickle


class _Pickler(pickle.Pickler):
    def persistent_id(self, obj: Any) -> Any:
        return _reference(obj)


class _Unpickler(pickle.Unpickler):
    def persistent_load(self, pid: Any) -> Any:
        return _fetch(*pid)


def _pickle(kwargs: Kwargs) -> bytes:
    buffer = io.BytesIO()
    _Pickler(buffer, protocol=5).dump(kwargs)
    return buffer.getvalue()


def _unpickle(payload: bytes) -> Kwargs:
    kwargs: Kwargs = _Unpickler(io.BytesIO(payload)).load()
    return kwargs


# JSON: what JSON cannot say itself is an object with the one key '$', so that it comes back as it went in

_SCALARS: dict[type, tuple[str, Callable[[Any], str], Callable[[str], Any]]] = {
    datetime: ('datetime', datetime.isoformat, parse_datetime),
    date: ('date', date.isoformat, parse_date),
    time: ('time', time.isoformat, time.fromisoformat),
    timedelta: ('timedelta', duration_iso_string, parse_duration),
    Decimal: ('decimal', str, Decimal),
    UUID: ('uuid', str, UUID),
}
_BY_TAG = {tag: load for tag, _dump, load in _SCALARS.values()}
_SEQUENCES: dict[str, Callable[[Iterator[Any]], Any]] = {'tuple': tuple, 'set': set, 'frozenset': frozenset}


def _to_json(kwargs: Kwargs) -> bytes:
    return json.dumps(_plain(kwargs), allow_nan=False, separators=(',', ':')).encode()


def _from_json(payload: bytes) -> Kwargs:
    kwargs: Kwargs = _rich(json.loads(payload))
    return kwargs


def _plain(value: Any) -> Any:
    if value is None or type(value) in (bool, int, float, str):
        return value
    if type(value) is list:
        return [_plain(item) for item in value]
    if type(value) is dict:
        if all(type(key) is str and key != '$' for key in value):
            return {key: _plain(item) for key, item in value.items()}
        return {'$': ['dict', *([_plain(key), _plain(item)] for key, item in value.items())]}
    if reference := _reference(value):
        return {'$': ['instance', *reference]}
    if type(value).__name__ in _SEQUENCES and type(value).__module__ == 'builtins':
        return {'$': [type(value).__name__, *(_plain(item) for item in value)]}
    if scalar := _SCALARS.get(type(value)):
        return {'$': [scalar[0], scalar[1](value)]}
    raise TypeError(f'JSON cannot represent a {type(value).__module__}.{type(value).__qualname__}')


def _rich(value: Any) -> Any:
    if isinstance(value, list):
        return [_rich(item) for item in value]
    if not isinstance(value, dict):
        return value
    if '$' not in value:
        return {key: _rich(item) for key, item in value.items()}
    tag, *items = value['$']
    if tag == 'instance':
        return _fetch(*items)
    if tag == 'dict':
        return {_rich(key): _rich(item) for key, item in items}
    if tag in _SEQUENCES:
        return _SEQUENCES[tag](_rich(item) for item in items)
    return _BY_TAG[tag](items[0])

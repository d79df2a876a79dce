"""Text and data as every database can store them: what `run()` leaves never prevents the end of its job."""

import json
import re
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder

from . import charset
from .statement_size import check_size

# PostgreSQL stores no NUL, and no database stores half of a surrogate pair.
_UNSTORABLE = re.compile('[\x00\ud800-\udfff]')
_UNSTORABLE_IN_JSON = re.compile(r'\\u(0000|d[89a-f][0-9a-f]{2})', re.IGNORECASE)


#: Characters of an error that are kept: what a server takes in one statement is limited, too.
LONGEST_ERROR = 500_000
_LONGEST_NAME = 200


def storable_text(text: str, kind: str = charset.TEXTS) -> str:
    """Return the text with NUL and lone surrogates replaced by U+FFFD, and what the tables cannot hold escaped."""
    if '\x00' not in text and text.isascii():
        return text
    return charset.escaped(_UNSTORABLE.sub('\ufffd', text), kind)


def check_name(what: str, name: object) -> str:
    """Return the name of a step, a signal or the like as it is stored.

    Raises:
        ValueError: It is no text of 1 to 200 characters.
    """
    stored = storable_text(name) if isinstance(name, str) else ''
    if not 0 < len(stored) <= _LONGEST_NAME:
        raise ValueError(f'The name of a {what} is {name!r:.100}; expected a text of 1 to {_LONGEST_NAME} characters.')
    return stored


def described(error: BaseException) -> str:
    """Return the `repr()` of an exception, or a substitute if that raises."""
    try:
        return repr(error)
    except Exception as problem:
        return f'<{type(error).__name__}: its repr() raised {type(problem).__name__}>'


def storable_error(text: str) -> str:
    """Return an error as a row keeps it: storable, and at most `LONGEST_ERROR` characters long."""
    if len(text) > LONGEST_ERROR:
        text = f'{text[:LONGEST_ERROR]}… ({len(text):,} characters)'
    return storable_text(text)


def storable_data(value: Any, name: str) -> Any:
    """Return the value if a JSON column can hold it; text in it is made storable.

    Raises:
        TypeError, ValueError: It cannot be stored; the message names where in it, and what it is; or it is too large.
    """
    if value is None:
        return None
    try:
        encoded = json.dumps(value, cls=DjangoJSONEncoder, allow_nan=False)
    except RecursionError as error:
        raise ValueError(f'{name} contains itself, or is nested too deeply to be stored as JSON.') from error
    except Exception as error:  # what a lazy object raises when it is looked at, for one
        kind = ValueError if isinstance(error, ValueError) else TypeError
        raise kind(f'{_culprit(value, name)} cannot be stored as JSON: {described(error)}.') from error
    check_size(encoded, name)
    return _clean(json.loads(encoded)) if _UNSTORABLE_IN_JSON.search(encoded) else value


def _culprit(value: Any, where: str) -> str:
    try:
        pairs = (
            value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list | tuple) else ())
        )
        children = [(f'{where}[{key!r}]', item) for key, item in pairs]
    except Exception:  # it cannot even be looked at
        children = []
    for path, child in children:
        try:
            json.dumps(child, cls=DjangoJSONEncoder, allow_nan=False)
        except Exception:
            return _culprit(child, path)
    return f'{where} ({type(value).__name__})'


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _UNSTORABLE.sub('\ufffd', value)
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {_UNSTORABLE.sub('\ufffd', key): _clean(item) for key, item in value.items()}
    return value

"""Text and data as every database can store them: what `run()` leaves must never prevent the end of its job."""

import json
import re
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder

# PostgreSQL stores no NUL, and no database stores half of a surrogate pair.
_UNSTORABLE = re.compile('[\x00\ud800-\udfff]')
_UNSTORABLE_IN_JSON = re.compile(r'\\u(0000|d[89a-f][0-9a-f]{2})', re.IGNORECASE)


def storable_text(text: str) -> str:
    """The text with NUL and lone surrogates replaced by U+FFFD."""
    return _UNSTORABLE.sub('\ufffd', text)


def storable_data(value: Any, name: str) -> Any:
    """The value, if a JSON column can hold it; text in it is made storable.

    Raises:
        TypeError, ValueError: It cannot be stored; the message names where in it, and what it is.
    """
    if value is None:
        return None
    try:
        encoded = json.dumps(value, cls=DjangoJSONEncoder, allow_nan=False)
    except RecursionError as error:
        raise ValueError(f'{name} contains itself, or is nested too deeply to be stored as JSON.') from error
    except (TypeError, ValueError) as error:
        raise type(error)(f'{_culprit(value, name)} cannot be stored as JSON: {error}.') from error
    return _clean(json.loads(encoded)) if _UNSTORABLE_IN_JSON.search(encoded) else value


def _culprit(value: Any, where: str) -> str:
    children = (
        [(f'{where}[{key!r}]', item) for key, item in value.items()]
        if isinstance(value, dict)
        else [(f'{where}[{index}]', item) for index, item in enumerate(value)]
        if isinstance(value, list | tuple)
        else []
    )
    for path, child in children:
        try:
            json.dumps(child, cls=DjangoJSONEncoder, allow_nan=False)
        except (TypeError, ValueError):
            return _culprit(child, path)
    return f'{where} ({type(value).__name__})'


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {storable_text(key): _clean(item) for key, item in value.items()}
    return value

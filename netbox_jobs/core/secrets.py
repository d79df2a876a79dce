"""The values of sensitive arguments, and how they are hidden in whatever is written about a run."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote, quote_plus
from uuid import UUID

from . import errors
from .text import described

#: What stands in the place of a value.
HIDDEN = '[hidden]'
#: Shorter values would be found everywhere.
SHORTEST = 4
#: Parts of a long value that are found alone: of so many characters, and how many.
_PART, _PARTS = 32, 256
_SCALARS = (int, float, Decimal, UUID, date, time, timedelta)


class HiddenError(Exception):
    """Stands for an exception whose text has the value of a sensitive argument; it has the text without the value."""


class Secrets:
    """The values of the sensitive arguments of one run."""

    def __init__(self, names: frozenset[str], kwargs: Mapping[str, Any]) -> None:
        """Args:
        names: Which arguments are sensitive.
        kwargs: The arguments.
        """
        self.names = names
        found = {form for name in names if name in kwargs for form in _forms(kwargs[name])}
        # A longer one first: it may contain a shorter one.
        longest_first = sorted(found, key=lambda form: (-len(form), form))
        self._pattern = re.compile('|'.join(map(re.escape, longest_first))) if found else None

    def mask(self, text: str) -> str:
        """Return a text without the values."""
        return text if self._pattern is None else self._pattern.sub(HIDDEN, text)

    def mask_data(self, value: Any, *, by_name: bool = False) -> Any:
        """Return a JSON value without the values; the same object if it has none of them.

        Args:
            value: The value.
            by_name: Hide all that stands under the name of a sensitive argument, whatever it is.
        """
        if isinstance(value, str):
            return self.mask(value)
        if isinstance(value, Mapping):
            masked: Any = {
                self.mask_data(key): HIDDEN if by_name and key in self.names else self.mask_data(item, by_name=by_name)
                for key, item in value.items()
            }
        elif isinstance(value, list | tuple):
            masked = [self.mask_data(item, by_name=by_name) for item in value]
            masked = masked if type(value) is list else tuple(masked)
        elif isinstance(value, _SCALARS) and not isinstance(value, bool):
            return HIDDEN if self.mask(str(value)) == HIDDEN else value
        else:
            return value
        return value if masked == value else masked

    def safe(self, error: BaseException) -> BaseException:
        """Return the exception; another one with the masked text if it, or its traceback, has one of the values."""
        trace = errors.traceback_of(error)
        if self.mask(trace) == trace and self.mask(described(error)) == described(error):
            return error
        return HiddenError(self.mask(described(error)))


def _forms(value: Any) -> Iterator[str]:
    """Yield how a value stands in texts."""
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _forms(item)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from _forms(item)
    elif isinstance(value, bytes):
        yield from _of_text(repr(value)[2:-1])
        yield from _forms(value.decode(errors='replace'))
    elif isinstance(value, str) or (isinstance(value, _SCALARS) and not isinstance(value, bool)):
        yield from _of_text(str(value))


def _of_text(text: str) -> Iterator[str]:
    forms = {text, repr(text)[1:-1], json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
    forms |= {repr(repr(text)[1:-1])[1:-1]}  # within the repr() of an exception
    forms |= {repr(text.encode(errors='replace'))[2:-1]}
    if not _has_surrogates(text):
        forms |= {quote(text), quote_plus(text), quote(text, safe='')}
    forms |= {text.strip(), *(line for line in text.splitlines() if len(line) >= 2 * SHORTEST)}
    if len(text) > 2 * _PART:  # it may be cut somewhere
        forms |= {text[start : start + _PART] for start in range(0, min(len(text), _PARTS * _PART), _PART)}
    yield from (form for form in forms if len(form) >= SHORTEST)


def _has_surrogates(text: str) -> bool:
    return any('\ud800' <= character <= '\udfff' for character in text)

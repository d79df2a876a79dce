"""The columns of text: whatever is written to one, or looked for in one, is first made into what its table can hold."""

import re
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from django.db import models

from ..core import charset
from ..core.text import storable_text

# What `charset.escaped()` writes; no path of code and no name of a queue has these.
_ESCAPE = re.compile(r'\\(?:U(00(?:0[1-9a-f]|10)[0-9a-f]{4})|u([0-9a-f]{4})|x([0-9a-f]{2}))')


class _Storable:
    """Text as it is stored; a part of the two classes of fields below, which migrations take for Django's own."""

    max_length: int | None
    #: The kind of column for `charset.escaped()`.
    kind = charset.TEXTS

    def get_prep_value(self, value: Any) -> Any:
        """Return a text without what the table cannot hold; as short as it was allowed to be."""
        value = super().get_prep_value(value)  # type: ignore[misc]
        if not isinstance(value, str):
            return value
        stored = storable_text(value, self.kind)
        return stored if stored == value else _cut(stored, self.max_length)

    def deconstruct(self) -> Any:
        """Have migrations name the class of Django, where the field is of one of this module."""
        name, path, args, kwargs = super().deconstruct()  # type: ignore[misc]
        own = type(self).__module__ == __name__
        return name, f'django.db.models.{self.django_name}' if own else path, args, kwargs  # type: ignore[attr-defined]


class _CharField(_Storable, models.CharField):
    """A short text from outside, such as a name."""

    django_name = 'CharField'


class _TextField(_Storable, models.TextField):
    """A text of any length from outside, such as an error."""

    django_name = 'TextField'


class _ReadAsGiven:
    def get_db_converters(self, connection: Any) -> list[Any]:
        """Have the escapes undone where there may be some."""
        return [*super().get_db_converters(connection), *([_read] if connection.vendor == 'mysql' else [])]  # type: ignore[misc]


class _IdentityField(_ReadAsGiven, _CharField):
    """A short text that other processes compare or import, such as the name of a queue: it is read as it was given."""


class _IdentitiesField(_ReadAsGiven, _TextField):
    """Several of those in one text."""


if TYPE_CHECKING:  # their values have the types of those of Django's fields
    from django.db.models import CharField as CharField
    from django.db.models import CharField as IdentityField
    from django.db.models import TextField as IdentitiesField
    from django.db.models import TextField as TextField
else:
    CharField, TextField, IdentityField, IdentitiesField = _CharField, _TextField, _IdentityField, _IdentitiesField


def restored(text: str) -> str:
    """Return what was stored in an `IdentityField`; needed for statements that Django does not read."""
    return _ESCAPE.sub(lambda found: chr(int(found[1] or found[2] or found[3], 16)), text)


def _read(value: Any, expression: Any, connection: Any) -> Any:
    return restored(value) if value and '\\' in value else value


def _cut(text: str, longest: int | None) -> str:
    """Return a text that escapes have made too long, with a hash at its end: two names remain two."""
    if longest is None or len(text) <= longest:
        return text
    tail = sha256(text.encode()).hexdigest()[:16]
    return f'{text[: longest - len(tail) - 1]}~{tail}' if longest > 2 * len(tail) else text[:longest]

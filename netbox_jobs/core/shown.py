"""The arguments of a call as people are shown them, without decoding what is stored."""

from collections.abc import Callable, Iterable
from typing import Any

from django.db.models import Model

from .secrets import HIDDEN, Secrets
from .text import storable_text

_SHOWN = 2000  # characters of one value's repr() that a person is shown


def show(kwargs: dict[str, Any], sensitive: frozenset[str] = frozenset()) -> str:
    """Return the arguments for people: one `name=value` a line, long values cut, sensitive ones hidden."""
    mask = Secrets(sensitive, kwargs).mask if sensitive else str
    lines = (f'{name}={HIDDEN if name in sensitive else _shown(value, mask)}' for name, value in kwargs.items())
    return storable_text('\n'.join(lines))


def show_names(kwargs: Iterable[str]) -> str:
    """Return the names of arguments that are encrypted, for people."""
    return storable_text('\n'.join(f'{name}=[encrypted]' for name in kwargs))


def _shown(value: Any, mask: Callable[[str], str]) -> str:
    try:
        text = f'<{value._meta.label} {value.pk}>' if isinstance(value, Model) else mask(repr(value))
    except Exception as error:  # a broken __repr__ must not prevent the job
        text = f'<{type(value).__name__}: its repr() raised {type(error).__name__}>'
    return text if len(text) <= _SHOWN else f'{text[:_SHOWN]}… ({len(text):,} characters)'

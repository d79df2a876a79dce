"""Errors of jobs in words, and the fingerprint that errors of one cause share."""

import hashlib
import re
import traceback
from ast import literal_eval
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from .formatting import clean, duration, first_line

_OURS = f'{Path(__file__).parent.parent}/'
#: How many characters of an error its fingerprint is made of.
_START = 2000
#: How many characters the title of a group of errors has at most.
TITLE = 200

# The `repr()` of an exception with one text as its argument, as `job.error` has it. A list reads its start only.
_REPR = re.compile(r"""([A-Za-z_][\w.]*)\((?:(['"])((?:(?!\2)[^\\]|\\.)*)(?:\2,?\)|\\?$))?\)?$""", re.DOTALL)
_TIME_LIMIT = re.compile(r'maximum timeout value \((\d+) seconds\)')

# What differs between errors of one cause. The order matters: a UUID has digits, and so has an address.
_DIFFERENT = (
    (re.compile(r'\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b', re.IGNORECASE), '<id>'),
    (re.compile(r'\b0x[0-9a-f]+\b', re.IGNORECASE), '<address>'),
    (re.compile(r'\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?'), '<time>'),
    (re.compile(r'\b\d{4}-\d\d-\d\d\b'), '<date>'),
    (re.compile(r"""'[^'\n]*'|"[^"\n]*\""""), '<text>'),
    (re.compile(r'\b(?=[0-9a-f]*\d)[0-9a-f]{12,}\b', re.IGNORECASE), '<id>'),
    (re.compile(r'\d+(?:[.,]\d+)*'), '<number>'),
)


def released(error: BaseException) -> BaseException:
    """Return what a run has raised; a `MemoryError` without what its frames hold: the end of the job needs memory."""
    if isinstance(error, MemoryError):
        traceback.clear_frames(error.__traceback__)
    return error


def in_words(text: Any) -> str:
    """Return an error as a person writes it: 'ValueError: no route', 'exceeded its time limit of 3 s'.

    A job stores the `repr()` of an exception, as NetBox's does. Any other text is returned as it is, cleaned.
    """
    text = str(text).strip()
    found = _REPR.match(text)
    if found is None:
        return clean(text)
    name, quote, argument = found.groups()
    if quote is None:
        return clean(name if text.endswith('()') else text)
    try:
        message = str(literal_eval(f'{quote}{argument}{quote}'))
    except (ValueError, SyntaxError):
        return clean(text)
    if limit := _TIME_LIMIT.search(message):
        return _('exceeded its time limit of %(time)s') % {'time': duration(int(limit[1]))}
    return clean(f'{name}: {message}' if message else name).strip()


def line(text: Any, length: int = 200) -> str:
    """Return the first line of an error in words, cut."""
    return first_line(in_words(str(text)[:_START]), length)


def title(text: Any) -> str:
    """Return the first line of an error, with what differs between errors of one cause replaced: 'no host <text>'."""
    lines = (line.strip() for line in in_words(str(text)[:_START]).split('\n'))
    line = next(filter(None, lines), '')
    for pattern, stands_for in _DIFFERENT:
        line = pattern.sub(stands_for, line)
    return line[:TITLE]


def fingerprint(runner: str, text: str) -> str:
    """Return what errors of one cause share: 16 hexadecimal digits of the runner and the error's title.

    Args:
        runner: The dotted path of the runner.
        text: The error, as the job stores it; empty gives the fingerprint of jobs that failed without an error.
    """
    return hashlib.blake2b(f'{runner}\n{title(text)}'.encode(errors='replace'), digest_size=8).hexdigest()


def traceback_of(error: BaseException) -> str:
    """Return the traceback of an exception, without the frames of this package that come before the user's code."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename.startswith(_OURS):
        frames = frames.tb_next
    return ''.join(traceback.format_exception(type(error), error, frames or error.__traceback__))

"""What people, jobs and programs have written, made fit to be shown: harmless characters, cut to a length."""

import re
from datetime import datetime, timedelta
from typing import Any

from django.utils import formats, timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

#: Colours and other orders to a terminal: CSI sequences, OSC sequences, and two-character ones.
_ANSI = re.compile('\x1b(?:\\[[0-?]*[ -/]*[@-~]|\\][^\x07\x1b]*(?:\x07|\x1b\\\\)?|[ -~])?')
# Tabs and line breaks are kept.
_CONTROLS = re.compile('[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]')
_SEVERE = re.compile('[\ud800-\udfff]')


def clean(text: Any) -> str:
    """The text without a terminal's orders; other control characters are replaced by a visible sign."""
    text = _ANSI.sub('', str(text)).replace('\r\n', '\n').replace('\r', '\n')
    return _SEVERE.sub('\ufffd', _CONTROLS.sub(lambda found: _picture(found.group()), text))


def _picture(control: str) -> str:
    code = ord(control)
    return chr(0x2400 + code) if code < 0x20 else '\u2421' if code == 0x7F else '\ufffd'


def cut(text: Any, length: int) -> str:
    """The cleaned text, cut to so many characters."""
    text = clean(str(text)[: length + 1000])
    return text if len(text) <= length else f'{text[: length - 1]}…'


def first_line(text: Any, length: int = 160) -> str:
    """The first line of the text that is not empty, cleaned and cut."""
    lines = clean(str(text)[:4000]).strip().split('\n')
    return cut(lines[0], length)


def span(value: timedelta | float | None) -> str:
    """A length of time in two units at most: '850 ms', '12.3 s', '4 min 10 s', '2 h 5 min', '3 d 4 h'."""
    if value is None:
        return ''
    seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    seconds = max(seconds, 0.0)
    if seconds < 1:
        return _('%(number)d ms') % {'number': round(seconds * 1000)}
    if seconds < 60:
        return _('%(number)s s') % {'number': formats.number_format(seconds, 1 if seconds < 10 else 0)}
    parts = []
    rest = round(seconds)
    for size, text in (
        (86400, _('%(number)d d')),
        (3600, _('%(number)d h')),
        (60, _('%(number)d min')),
        (1, _('%(number)d s')),
    ):
        number, rest = divmod(rest, size)
        parts.append(text % {'number': number} if number else '')
    first = next(place for place, part in enumerate(parts) if part)
    return ' '.join(filter(None, parts[first : first + 2]))


def moment(value: datetime | None) -> str:
    """A time as short as it can be told from others: of today the time alone."""
    if value is None:
        return ''
    local = timezone.localtime(value) if timezone.is_aware(value) else value
    now = timezone.localtime() if timezone.is_aware(value) else datetime.now()
    if local.date() == now.date():
        return formats.date_format(local, 'H:i:s')
    day = formats.date_format(local, 'j M' if local.year == now.year else 'j M Y')
    return f'{day} {formats.date_format(local, "H:i")}'


def exact(value: datetime | None) -> str:
    """A time in full, with seconds."""
    if value is None:
        return ''
    local = timezone.localtime(value) if timezone.is_aware(value) else value
    return f'{formats.date_format(local, "j F Y H:i:s")} {local.tzname() or ""}'.strip()


def class_name(path: str) -> str:
    """A runner's class, out of its dotted path."""
    return path.rpartition('.')[2]


def recurrence(interval: int | None, cron: str, zone: str) -> str:
    """How something recurs, in words."""
    if cron:
        return f'{cron} ({zone})' if zone else cron
    if interval is None:
        return _('once')
    for size, text in ((1440, lambda n: ngettext('every day', 'every %(n)d days', n)), (60, _hours)):
        if interval % size == 0:
            return text(interval // size) % {'n': interval // size}
    return ngettext('every minute', 'every %(n)d minutes', interval) % {'n': interval}


def _hours(number: int) -> str:
    return ngettext('every hour', 'every %(n)d hours', number)

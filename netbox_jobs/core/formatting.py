"""Times, numbers and other people's text as pages show them, in the language of the reader."""

import re
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.formats import date_format, number_format, time_format
from django.utils.translation import gettext as _

# What colours a terminal: CSI and OSC sequences, and the two-character escapes.
_ANSI = re.compile(r'\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])')
_CONTROL = re.compile(r'[\x00-\x08\x0b-\x1f\x7f-\x9f]')


def printable(text: str, limit: int | None = None) -> str:
    """Text from a job for a page: without terminal codes, control characters made visible, at most `limit` long."""
    text = _CONTROL.sub('\ufffd', _ANSI.sub('', text.replace('\r\n', '\n')))
    return text if limit is None or len(text) <= limit else f'{text[:limit].rstrip()}…'


def first_line(text: str, limit: int = 200) -> str:
    """What an error says in one line: the first that says something."""
    return printable(next((line for line in text.splitlines() if line.strip()), ''), limit)


def count(number: int | float, decimals: int = 0) -> str:
    """A number, with the separators of the language."""
    return number_format(round(number, decimals), decimals, use_l10n=True, force_grouping=True)


def span(value: timedelta | None) -> str:
    """A length of time in its two largest units; in tenths of a second below ten, if it is not a whole number."""
    return '' if value is None else _span(value).replace(' ', '\xa0')  # no line is broken within it


def _span(value: timedelta) -> str:
    seconds = max(0.0, value.total_seconds())
    if seconds < 9.95 and seconds % 1:
        return _('%(seconds)s s') % {'seconds': count(seconds, 1)}
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return _('%(days)s d %(hours)d h') % {'days': count(days), 'hours': hours}
    if hours:
        return _('%(hours)d h %(minutes)d min') % {'hours': hours, 'minutes': minutes}
    if minutes:
        return _('%(minutes)d min %(seconds)d s') % {'minutes': minutes, 'seconds': seconds}
    return _('%(seconds)s s') % {'seconds': count(seconds)}


def rate(per_second: float) -> str:
    """How fast something goes, in a unit that makes it a number above one if there is such."""
    if per_second >= 1:
        return _('%(number)s per second') % {'number': count(per_second, 1 if per_second < 10 else 0)}
    if per_second >= 1 / 60:
        return _('%(number)s per minute') % {'number': count(per_second * 60, 1 if per_second < 1 / 6 else 0)}
    return _('%(number)s per hour') % {'number': count(per_second * 3600, 1)}


def moment(value: datetime) -> str:
    """A point in time on the reader's clock; without the date if it is today."""
    local, now = (timezone.localtime(time) if timezone.is_aware(time) else time for time in (value, timezone.now()))
    if local.date() == now.date():
        return time_format(local, 'TIME_FORMAT')
    return date_format(local, 'DATETIME_FORMAT')

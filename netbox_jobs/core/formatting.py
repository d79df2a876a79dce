"""Times, numbers, statuses and other people's text in words: the one style of pages, terminal and mail.

Nothing here reads the database or Redis. Words are translated into the active language, and numbers get its
separators. Times are written as ISO 8601 has them, in the active time zone, so that they sort and read the same in
every language.
"""

import re
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from ..choices import JobStatusChoices, WorkflowStatusChoices
from . import clock
from .recurrence import cron_in_words

# Text

# What controls a terminal: CSI and OSC sequences, and two-character escapes.
_ANSI = re.compile('\x1b(?:\\[[0-?]*[ -/]*[@-~]|\\][^\x07\x1b]*(?:\x07|\x1b\\\\)?|[ -~])?')
# All but tabs and line breaks.
_CONTROL = re.compile('[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]')


def clean(text: Any) -> str:
    """Return the text without terminal codes; other control characters become visible signs."""
    text = _ANSI.sub('', str(text)).replace('\r\n', '\n').replace('\r', '\n')
    return _CONTROL.sub(lambda found: _sign(ord(found.group())), text)


def _sign(code: int) -> str:
    return chr(0x2400 + code) if code < 0x20 else '\u2421' if code == 0x7F else '\ufffd'


def cut(text: Any, length: int) -> str:
    """Return the cleaned text, of at most `length` characters; an ellipsis stands for the rest."""
    text = clean(str(text)[: length + 1000])
    return text if len(text) <= length else f'{text[: length - 1].rstrip()}…'


def first_line(text: Any, length: int = 200) -> str:
    """Return the first line that is not blank, cleaned and cut."""
    lines = (line.strip() for line in clean(str(text)[:4000]).split('\n'))
    return cut(next(filter(None, lines), ''), length)


def class_name(path: str) -> str:
    """Return the class of a runner, out of its dotted path."""
    return clean(path).rpartition('.')[2]


def unbroken(text: str) -> str:
    """Return the text with spaces at which a browser breaks no line."""
    return text.replace(' ', '\xa0')


# Numbers


def number(value: float, decimals: int = 0) -> str:
    """Return a number with the separators of the language: '12,345'."""
    return number_format(round(value, decimals), decimals, use_l10n=True, force_grouping=True)


def capped(value: int, limit: int) -> str:
    """Return a number that was counted up to `limit`: '5,000+' if there are more."""
    return f'{number(limit)}+' if value > limit else number(value)


def percent(value: float) -> str:
    """Return a percentage: '25%'."""
    return _('%(number)s%%') % {'number': number(value)}


def rate(per_second: float) -> str:
    """Return a speed in the unit that makes it 1 or more, where there is one: '40 per second', '3.6 per hour'."""
    if per_second >= 1:
        return _('%(number)s per second') % {'number': number(per_second, 1 if per_second < 10 else 0)}
    if per_second >= 1 / 60:
        return _('%(number)s per minute') % {'number': number(per_second * 60, 1 if per_second < 1 / 6 else 0)}
    if per_second >= 1 / 3600:
        return _('%(number)s per hour') % {'number': number(per_second * 3600, 1)}
    return _('%(number)s per day') % {'number': number(per_second * 86400, 1 if per_second else 0)}


def amount(current: int, total: int | None) -> str:
    """Return how much is done: '120 of 480', or '120 done' without a total."""
    if total is None:
        return _('%(done)s done') % {'done': number(current)}
    return _('%(done)s of %(total)s') % {'done': number(current), 'total': number(total)}


def remaining(value: timedelta) -> str:
    """Return how long the rest takes: 'about 9 s left'."""
    return _('about %(time)s left') % {'time': duration(timedelta(seconds=round(value.total_seconds())))}


# Durations and moments


def duration(value: timedelta | float | None, units: int = 2) -> str:
    """Return a length of time in its largest units: '850 ms', '3.2 s', '42 s', '4 min 10 s', '3 d 4 h'.

    Args:
        value: The time, or seconds; None gives an empty text.
        units: How many units at most.
    """
    if value is None:
        return ''
    seconds = max(value.total_seconds() if isinstance(value, timedelta) else float(value), 0.0)
    if 0 < seconds < 0.9995:
        return _('%(number)s ms') % {'number': number(seconds * 1000)}
    if seconds < 9.95 and units > 1 and round(seconds, 1) % 1:
        return _('%(number)s s') % {'number': number(seconds, 1)}
    rest = round(seconds) if seconds < 60 or units > 1 else int(seconds)
    parts: list[str] = []
    for size, text in (
        (86400, _('%(number)s d')),
        (3600, _('%(number)s h')),
        (60, _('%(number)s min')),
        (1, _('%(number)s s')),
    ):
        count, rest = divmod(rest, size)
        if count or parts:
            parts.append(text % {'number': number(count)} if count else '')
    return ' '.join(filter(None, parts[:units])) or _('%(number)s s') % {'number': number(0)}


def iso(value: datetime | None) -> str | None:
    """Return a moment for programs: ISO 8601, in UTC."""
    return None if value is None else clock.to_utc(value).isoformat()


def moment(value: datetime | None) -> str:
    """Return a moment, to the second: '17:14:28' if it is today, else '2026-11-25 17:14:28'."""
    if value is None:
        return ''
    local = _local(value)
    return f'{local:%H:%M:%S}' if local.date() == _local(timezone.now()).date() else full_moment(value)


def full_moment(value: datetime | None) -> str:
    """Return a moment with its date: '2026-11-25 17:14:28'."""
    return '' if value is None else f'{_local(value):%Y-%m-%d %H:%M:%S}'


def exact_moment(value: datetime | None) -> str:
    """Return a moment with its date and its time zone: '2026-11-25 17:14:28 CET'."""
    if value is None:
        return ''
    local = _local(value)
    return f'{local:%Y-%m-%d %H:%M:%S} {local.tzname() or ""}'.rstrip()


def date(value: datetime) -> str:
    """Return the day of a moment: '2026-11-25'."""
    return f'{_local(value):%Y-%m-%d}'


def log_time(value: datetime) -> str:
    """Return the time of a log line, to the millisecond: '17:14:28.042'."""
    local = _local(value)
    return f'{local:%H:%M:%S}.{local.microsecond // 1000:03d}'


def hour(value: datetime) -> str:
    """Return the time of an hour on an axis: '17:00'."""
    return f'{_local(value):%H:%M}'


def relative(value: datetime | None) -> str:
    """Return how far a moment is from now, in one unit: '3 min ago', 'in 2 h'."""
    if value is None:
        return ''
    away = clock.to_utc(value) - clock.to_utc(timezone.now())
    text = _('in %(time)s') if away > timedelta() else _('%(time)s ago')
    return text % {'time': duration(abs(away), 1)}


def age(value: datetime | None, units: int = 2) -> str:
    """Return how long ago a moment was, in whole seconds: '4 min 10 s'."""
    if value is None:
        return ''
    return duration(int((clock.to_utc(timezone.now()) - clock.to_utc(value)).total_seconds()), units)


def _local(value: datetime) -> datetime:
    return timezone.localtime(value) if timezone.is_aware(value) else value


def recurrence(interval: int | None, cron: str = '', time_zone: str = '') -> str:
    """Return how something recurs: 'every 5 minutes', 'every day', 'at 03:00 every day (Europe/Berlin)', or 'once'.

    There are words for cron in English only; in other languages it is the expression.
    """
    if cron:
        text = cron_in_words(cron) if (get_language() or 'en').startswith('en') else cron
        return clean(f'{text} ({time_zone})' if time_zone else text)
    if interval is None:
        return _('once')
    if interval % 1440 == 0:
        days = interval // 1440
        return ngettext('every day', 'every %(count)s days', days) % {'count': number(days)}
    if interval % 60 == 0:
        hours = interval // 60
        return ngettext('every hour', 'every %(count)s hours', hours) % {'count': number(hours)}
    return ngettext('every minute', 'every %(count)s minutes', interval) % {'count': number(interval)}


# States

_STATUSES = dict(JobStatusChoices.CHOICES) | dict(WorkflowStatusChoices.MEMBER_CHOICES)


def status(value: str, *, stopping: bool = False) -> str:
    """Return the word for a job's status: 'Running', or 'Stopping' for a running job that is being stopped."""
    if stopping and value == JobStatusChoices.STATUS_RUNNING:
        return _('Stopping')
    return str(_STATUSES.get(value, clean(value)))


def schedule_state(value: str) -> str:
    """Return the word for the state of a schedule: 'active', 'late', 'running', 'paused' or 'suspended'."""
    words = {'active': _('Active'), 'running': _('Running'), 'paused': _('Paused'), 'suspended': _('Suspended')}
    words['late'] = _('Late')
    return words.get(value, clean(value))


def queue_state(value: str) -> str:
    """Return the words for the state of a queue: 'active', 'paused' or 'no_worker'."""
    words = {'active': _('Active'), 'paused': _('Paused'), 'no_worker': _('No worker')}
    return words.get(value, clean(value))


def attempt(value: int) -> str:
    """Return the number of an attempt: 'attempt 2'."""
    return _('attempt %(number)s') % {'number': number(value)}

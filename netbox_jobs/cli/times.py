"""Moments and durations, as scripts read them and as people do."""

from datetime import datetime, timedelta

from django.utils import timezone

from ..core import clock

_UNITS = (('d', 86400), ('h', 3600), ('min', 60), ('s', 1))


def iso(moment: datetime | None) -> str | None:
    """ISO 8601, in UTC."""
    return None if moment is None else clock.to_utc(moment).isoformat()


def local(moment: datetime | None) -> str:
    """To the second, in the project's time zone; '-' for None."""
    if moment is None:
        return '-'
    here = timezone.localtime(moment) if timezone.is_aware(moment) else moment
    return here.strftime('%Y-%m-%d %H:%M:%S')


def span(duration: timedelta | None, units: int = 2) -> str:
    """A duration in its largest units: '0.04 s', '42 s', '3 min 5 s', '2 h 10 min'; '-' for None."""
    if duration is None:
        return '-'
    seconds = max(0.0, duration.total_seconds())
    if seconds < 10 and units > 1:
        return f'{seconds:.2f} s' if seconds < 1 else f'{seconds:.1f} s'
    rest = int(seconds)
    parts: list[tuple[int, str]] = []
    for unit, size in _UNITS:
        count, rest = divmod(rest, size)
        if count or parts:
            parts.append((count, unit))
    return ' '.join(f'{count} {unit}' for count, unit in parts[:units] if count) or '0 s'


def relative(moment: datetime | None) -> str:
    """How far from now: '3 min ago', 'in 2 h'; '-' for None."""
    if moment is None:
        return '-'
    away = clock.to_utc(moment) - clock.to_utc(timezone.now())
    return f'in {span(away, 1)}' if away > timedelta() else f'{span(-away, 1)} ago'


def age(moment: datetime | None) -> str:
    """How long ago: '3 min'; '-' for None."""
    return '-' if moment is None else span(clock.to_utc(timezone.now()) - clock.to_utc(moment), 1)

"""When the next occurrence of a periodic job is due."""

from datetime import datetime, timedelta

from django.core.exceptions import ImproperlyConfigured

from . import clock

#: No occurrence follows another within less than this.
SHORTEST = timedelta(minutes=1)


def check_interval(interval: object) -> None:
    """Raise `ValueError` unless `interval` is None or a whole number of minutes from 1."""
    if interval is None:
        return
    if isinstance(interval, bool) or not isinstance(interval, int) or interval < 1:
        raise ValueError(f'interval is {interval!r}; expected a whole number of minutes, 1 or more, or None.')
    if interval > 2_147_483_647:
        raise ValueError(f'interval is {interval!r} minutes; at most 2147483647 can be stored.')


def check_registered_interval(interval: object) -> None:
    """The same for an interval that is part of the code (`system_job`), so that a typo stops the start-up.

    Raises:
        ImproperlyConfigured: It is not a whole number of minutes from 1.
    """
    try:
        if interval is None:
            raise ValueError('interval is missing; expected a whole number of minutes, 1 or more.')
        check_interval(interval)
    except ValueError as error:
        raise ImproperlyConfigured(f'System job: {error}') from None


def next_time(previous: datetime, interval: int, now: datetime) -> datetime:
    """When the occurrence after the one of `previous` is due, `interval` minutes later.

    Occurrences that were missed while nothing ran are not made up for: the next one comes a minute from now, and
    the interval counts from there. The sum is made in UTC, so that a change of local time adds or drops nothing.
    """
    later = clock.to_utc(previous) + timedelta(minutes=interval)
    return clock.to_stored(max(later, clock.to_utc(now) + SHORTEST))

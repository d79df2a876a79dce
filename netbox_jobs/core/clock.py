"""Times that do not depend on local time.

When a job is due is stored as milliseconds since the epoch, so that a project with `USE_TZ = False` gets its jobs
once, and on time, in the hour that a change to winter time repeats.
"""

from datetime import UTC, datetime

from django.conf import settings
from django.utils import timezone

#: The last year in which a job can be due, so that an interval can still be added.
LAST_YEAR = 4999
#: When a job is due that waits for something else than a time: later than any other, in milliseconds since the epoch.
NEVER = int(datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC).timestamp() * 1000)


def now_ms() -> int:
    """Return this moment in milliseconds since the epoch."""
    return int(datetime.now(UTC).timestamp() * 1000)


def to_ms(moment: datetime) -> int:
    """Return a moment in milliseconds since the epoch; a naive one is local time, as without `USE_TZ`."""
    return int(moment.timestamp() * 1000)


def from_ms(moment: int) -> datetime:
    """Return a moment in milliseconds since the epoch as this project stores it."""
    return to_stored(datetime.fromtimestamp(moment / 1000, UTC))


def to_utc(moment: datetime) -> datetime:
    """Return the same moment, aware, in UTC."""
    return moment.astimezone(UTC)


def to_stored(moment: datetime) -> datetime:
    """Return the same moment as this project stores it: aware with `USE_TZ`, else naive local time."""
    if settings.USE_TZ:
        return moment.astimezone(UTC)
    return timezone.make_naive(moment, timezone.get_default_timezone()) if timezone.is_aware(moment) else moment


def check(name: str, moment: object) -> datetime | None:
    """Return `moment` as it is stored.

    Raises:
        ValueError: It is no datetime, a naive one in a project with `USE_TZ`, or beyond `LAST_YEAR`.
    """
    if moment is None:
        return None
    if not isinstance(moment, datetime):
        raise ValueError(f'{name} is {moment!r}; expected a datetime or None.')
    if settings.USE_TZ and timezone.is_naive(moment):
        raise ValueError(
            f'{name} is the naive datetime {moment}; USE_TZ is on, so it must carry its time zone: use '
            'django.utils.timezone.now() or make_aware().'
        )
    if moment.year > LAST_YEAR:
        raise ValueError(f'{name} is {moment}; expected a moment up to the year {LAST_YEAR}.')
    try:
        return to_stored(moment)
    except OverflowError:
        raise ValueError(f'{name} is {moment}, which is no moment in UTC.') from None

"""When a periodic job recurs: every so many minutes, or at the times of a cron expression."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from . import clock

# The fields of a cron expression, with how many values each has.
_FIELDS = (('minute', 60), ('hour', 24), ('day of the month', 31), ('month', 12), ('day of the week', 7))
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


def check_cron(cron: object, time_zone: object = None) -> tuple[str, str]:
    """Return a cron expression and the name of its time zone, as they are stored: ('', '') for none.

    Args:
        cron: Five fields: minute, hour, day of the month, month, day of the week; as Debian's cron reads them.
        time_zone: A name of the IANA database; None is the project's `TIME_ZONE`, whatever it is by then.

    Raises:
        ValueError: It is no such expression, has no next time, or the time zone is unknown.
    """
    zone = str(time_zone or '')
    if zone:
        try:
            ZoneInfo(zone)
        except Exception:
            raise ValueError(f'timezone is {zone!r}; expected a name such as "Europe/Berlin".') from None
    if cron is None or cron == '':
        return '', ''
    if not isinstance(cron, str) or len(cron.split()) != 5:
        raise ValueError(
            f'cron is {cron!r}; expected five fields: minute, hour, day of the month, month, day of the week, '
            "for example '0 3 * * 1-5'."
        )
    text = ' '.join(cron.split())
    if len(text) > 200:
        raise ValueError(f'cron has {len(text)} characters; at most 200 can be stored: {text[:60]!r}…')
    for (name, size), field in zip(_FIELDS, text.split(), strict=True):
        _check_steps(cron, name, size, field)
    try:
        next(CronSim(text.upper(), datetime(2024, 1, 1)))
    except CronSimError as error:
        raise ValueError(f'cron is {cron!r}, which cannot be read: {error}.') from None
    except StopIteration:
        raise ValueError(f'cron is {cron!r}, which never comes.') from None
    return text, zone


def _check_steps(cron: str, name: str, size: int, field: str) -> None:
    """Raise `ValueError` if a step goes beyond its field, where it counts from anew: `*/90` is each hour's minute 0."""
    for part in field.split(','):
        span, _, step = part.partition('/')
        first, _, last = span.partition('-')
        if last.isdecimal() and first.isdecimal():
            size = int(last) - int(first) + 1
        if step.isdecimal() and int(step) > size:
            raise ValueError(
                f'cron is {cron!r}; the step {step} of its {name} is larger than the {size} values that it goes '
                'through, so that it would be the first of them alone. For a number of minutes, use interval=.'
            )


def check_registered(interval: object, cron: object = None, time_zone: object = None) -> None:
    """Check what is part of the code (`system_job`), so that a typo stops the start-up.

    Raises:
        ImproperlyConfigured: There is neither a whole number of minutes from 1 nor a cron expression, or both.
    """
    try:
        check_cron(cron, time_zone)
        if interval is None and not cron:
            raise ValueError('interval is missing; expected a whole number of minutes, 1 or more, or cron=.')
        check_interval(interval)
        if interval is not None and cron:
            raise ValueError('interval and cron exclude each other.')
    except ValueError as error:
        raise ImproperlyConfigured(f'System job: {error}') from None


def cron_in_words(cron: str) -> str:
    """Return what a cron expression says, in English: 'at 03:00 on Monday through Friday'.

    The words come from the library that computes the times, so that the two do not differ.
    """
    try:
        words = CronSim(cron.upper(), datetime(2024, 1, 1)).explain()
    except CronSimError:
        return cron
    return words[:1].lower() + words[1:]


@dataclass(frozen=True, slots=True)
class Recurrence:
    """How something recurs: every `interval` minutes, or at the times of `cron` in `time_zone`; or not at all."""

    interval: int | None = None
    cron: str = ''
    time_zone: str = ''

    def __bool__(self) -> bool:
        return self.interval is not None or bool(self.cron)

    def __str__(self) -> str:
        if self.cron:
            return f'{self.cron} ({self.time_zone})' if self.time_zone else self.cron
        return f'every {self.interval} min' if self.interval is not None else 'once'

    def first(self, now: datetime) -> datetime | None:
        """Return when a first occurrence without a time of its own is due: None for now, or the next time of cron."""
        return self._next_cron(now) if self.cron else None

    def next(self, previous: datetime, now: datetime) -> datetime:
        """Return when the occurrence after the one of `previous` is due.

        Occurrences that were missed while nothing ran are skipped: with an interval the next one comes a
        minute from now at the earliest, and the interval counts from there; with cron it is the next in the
        calendar. Intervals are added in UTC, so that a change of local time adds or drops nothing; cron goes by the
        clock on the wall, as Debian's does: what the change to summer time skips comes right after it, and what the
        change to winter time repeats comes once.
        """
        if self.cron:
            return self._next_cron(max(clock.to_utc(previous), clock.to_utc(now)))
        assert self.interval is not None
        later = clock.to_utc(previous) + timedelta(minutes=self.interval)
        return clock.to_stored(max(later, clock.to_utc(now) + SHORTEST))

    def upcoming(self, first: datetime, count: int) -> list[datetime]:
        """Return when the next occurrences are due, if each runs in time; the earliest first.

        Args:
            first: When the first of them is due.
            count: How many.
        """
        found = [first]
        while self and len(found) < count:
            found.append(self.next(found[-1], found[-1]))
        return found

    def would_have(self, previous: datetime, made: datetime, moment: datetime) -> bool:
        """Return whether `moment` is when the occurrence after `previous`, made at `made`, is due by itself."""
        return bool(self) and abs(clock.to_utc(self.next(previous, made)) - clock.to_utc(moment)) < 2 * SHORTEST

    def _next_cron(self, after: datetime) -> datetime:
        zone = ZoneInfo(self.time_zone or settings.TIME_ZONE)
        return clock.to_stored(next(CronSim(self.cron.upper(), clock.to_utc(after).astimezone(zone))))

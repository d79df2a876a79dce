"""When schedules run next: by day, in the active time zone; with those that are late, and the runs that were missed."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from django.utils import timezone

from ..core import clock
from ..models import Schedule, database
from .schedules import ScheduleState, schedule_states

#: The periods, by their names in the address.
PERIODS = {'1d': timedelta(days=1), '7d': timedelta(days=7)}
#: How many schedules are shown at most, and how many missed runs of one are counted.
SCHEDULES, MISSED = 200, 99
#: A schedule that runs more often than this is shown once, and not with each of its runs.
OFTEN = timedelta(hours=1)


@dataclass(frozen=True)
class Runs:
    """The runs to come of one schedule on one day."""

    schedule: Schedule
    times: list[datetime]

    @property
    def first(self) -> datetime:
        """The earliest."""
        return self.times[0]

    @property
    def last(self) -> datetime:
        """The latest."""
        return self.times[-1]


@dataclass(frozen=True)
class Late:
    """A schedule whose waiting job is late, or that has missed runs."""

    state: ScheduleState
    #: How long the waiting job has been due; None if it is not late.
    by: timedelta | None
    #: How many runs were left out between the latest run and the next one.
    missed: int


@dataclass
class Calendar:
    """The runs to come, and what is out of order."""

    days: dict[date, list[Runs]] = field(default_factory=dict)
    often: list[ScheduleState] = field(default_factory=list)
    late: list[Late] = field(default_factory=list)
    resting: list[ScheduleState] = field(default_factory=list)
    #: Whether there are more schedules than are shown.
    capped: bool = False


def upcoming(period: timedelta) -> Calendar:
    """Return when the schedules run from now on, if each runs in time.

    The cost grows with the number of schedules, of which `SCHEDULES` are read, and not with the number of jobs.

    Args:
        period: How far ahead.
    """
    now, found = timezone.now(), Calendar()
    keys = list(Schedule.objects.using(database()).order_by('name', 'pk').values_list('pk', flat=True)[: SCHEDULES + 1])
    found.capped = len(keys) > SCHEDULES
    states = schedule_states(Schedule.objects.filter(pk__in=keys[:SCHEDULES]).order_by('name', 'pk'))
    days: dict[date, dict[int, Runs]] = {}
    for state in states:
        if state.schedule.paused or state.schedule.suspended:
            found.resting.append(state)
            continue
        late = Late(state, state.late, missed(state))
        if late.by is not None or late.missed:
            found.late.append(late)
        times = _times(state, now, now + period)
        if times is None:
            found.often.append(state)
        for time in times or ():
            of_day = days.setdefault(_day(time), {})
            of_day.setdefault(state.schedule.pk, Runs(state.schedule, [])).times.append(time)
    for day in sorted(days):
        found.days[day] = sorted(days[day].values(), key=lambda runs: clock.to_utc(runs.first))
    return found


def _times(state: ScheduleState, now: datetime, end: datetime) -> list[datetime] | None:
    """Return the times of the runs to come; None for a schedule that runs too often to show each."""
    recurrence = state.schedule.recurrence
    running = state.running
    at = state.next_run
    if at is None and running is not None and recurrence:  # the next job is made when this one ends
        at = recurrence.next(running.scheduled or running.started or now, now)
    if at is not None and at < now:
        at = now  # it runs as soon as it can
    found: list[datetime] = []
    while at is not None and at < end:
        found.append(at)
        if not recurrence:
            break
        at = recurrence.next(at, at)
        if len(found) == 25 and found[-1] - found[0] < 24 * OFTEN:
            return None
    return found


def missed(state: ScheduleState) -> int:
    """Return how many runs were left out between the latest run and the next one, because no worker was free in time.

    Counted up to `MISSED`.
    """
    recurrence, last, next_ = state.schedule.recurrence, state.last, state.next
    if not recurrence or last is None or next_ is None or last.scheduled is None or next_.scheduled is None:
        return 0
    if recurrence.interval is not None:
        return min(max((next_.scheduled - last.scheduled) // timedelta(minutes=recurrence.interval) - 1, 0), MISSED)
    count, at = 0, recurrence.next(last.scheduled, last.scheduled)
    while at < next_.scheduled and count < MISSED:
        count, at = count + 1, recurrence.next(at, at)
    return count


def _day(moment: datetime) -> date:
    return timezone.localtime(moment).date() if timezone.is_aware(moment) else moment.date()

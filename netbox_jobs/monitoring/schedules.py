"""The state of schedules, each with its latest jobs."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import QuerySet
from django.utils import timezone

from ..models import Job, Schedule, database
from . import counts

#: How many of the next occurrences are shown.
UPCOMING = 5
#: How long after its time a job that still waits is late.
LATE = timedelta(minutes=1)


@dataclass
class ScheduleState:
    """A schedule with the job that ended last, the job that waits, and the job that runs."""

    schedule: Schedule
    last: Job | None = None
    next: Job | None = None
    running: Job | None = None

    @property
    def state(self) -> str:
        """'suspended', 'paused', 'running' or 'active', for `formatting.schedule_state()`."""
        if self.schedule.suspended:
            return 'suspended'
        if self.schedule.paused:
            return 'paused'
        return 'running' if self.running is not None else 'active'

    @property
    def shown(self) -> str:
        """The state for people: 'late' as well, for an active schedule whose job still waits after its time."""
        return 'late' if self.state == 'active' and self.late is not None else self.state

    @property
    def late(self) -> timedelta | None:
        """How long the waiting job has been due; None if that is no longer than `LATE`."""
        due = self.next_run
        by = timezone.now() - due if due is not None else timedelta()
        return by if by > LATE else None

    @property
    def next_run(self) -> datetime | None:
        """When the waiting job is due; None if no job waits, or the schedule is paused."""
        return None if self.next is None or self.schedule.paused else self.next.scheduled or self.next.created

    @property
    def upcoming(self) -> list[datetime]:
        """When the next `UPCOMING` occurrences are due, if each runs in time; none while the schedule is paused."""
        if self.next_run is None or self.schedule.suspended:
            return []
        return self.schedule.recurrence.upcoming(self.next_run, UPCOMING)


def schedule_states(schedules: 'QuerySet[Schedule]') -> list[ScheduleState]:
    """Return these schedules, each with its latest jobs, by the index on schedule and key."""
    using = database()
    jobs = Job.objects.using(using)
    rows = list(schedules.using(using))
    lasts = counts.firsts_by_key([row.pk for row in rows], lambda key: Schedule(pk=key).ended_jobs.values('pk'))
    keys = {key for key in lasts.values() if key is not None}
    fields = ('pk', 'name', 'status', 'completed', 'started', 'scheduled', 'created', 'schedule_id', 'execution_time')
    found = jobs.only(*fields).in_bulk(keys)
    waiting = {job.slot: job for job in jobs.only(*fields, 'slot').filter(slot__in=lasts)}
    # All running jobs, which are few: for those of some schedules, a planner may read all jobs that these ever had.
    running = {job.schedule_id: job for job in jobs.running().only(*fields)}
    return [ScheduleState(row, found.get(lasts[row.pk]), waiting.get(row.pk), running.get(row.pk)) for row in rows]

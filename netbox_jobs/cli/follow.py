"""Watching a job from outside, while it runs: its log lines and its progress, from the database."""

import logging
import time

from ..models import Job, JobLogEntry, database
from ..monitoring.waiting import reason
from .exits import undone
from .screen import Screen, View

#: Seconds between two looks.
INTERVAL = 0.5
_BATCH = 2000
_LEVELS = ('debug', 'info', 'warning', 'error', 'critical')


def lines_of(job: Job, level: str = 'debug', after: int = 0) -> 'list[JobLogEntry]':
    """The log lines of a job, in order: those above the number `after`, and from a level on; at most so many at once.

    Levels that are not Python's own are never left out.
    """
    rows = JobLogEntry.objects.using(database()).filter(job_id=job.pk, pk__gt=after)
    below = [name for name in _LEVELS if logging.getLevelName(name.upper()) < logging.getLevelName(level.upper())]
    return list(rows.exclude(level__in=below).order_by('pk')[:_BATCH])


class Follower:
    """Shows what is new of a job, at each look."""

    def __init__(self, screen: Screen, job: Job, level: str) -> None:
        self.job, self._screen, self._level = job, screen, level
        self._seen = 0

    def show_lines(self) -> None:
        """Show the lines that have come since the last time."""
        while lines := lines_of(self.job, self._level, self._seen):
            self._seen = lines[-1].pk
            self._screen.log(lines)

    def look(self, view: View) -> bool:
        """Show what is new; returns whether the job has ended.

        Raises:
            CommandError: It has been deleted.
        """
        try:
            self.job.refresh_from_db(
                fields=('status', 'due', 'scheduled', 'started', 'stopping', 'error', 'completed', 'execution_time')
            )
        except Job.DoesNotExist:
            raise undone(f'Job {self.job.pk} ({self.job.name}) has been deleted meanwhile.') from None
        # The status was read first: the lines of a job that has ended are all there.
        self.show_lines()
        view.state(self.job, self.job.progress, reason(self.job))
        return self.job.ended


def until_end(screen: Screen, job: Job, level: str = 'debug') -> None:
    """Show a job's log and progress until it has ended.

    Raises:
        CommandError: It has been deleted.
        KeyboardInterrupt: Ctrl-C; the job goes on.
    """
    follower = Follower(screen, job, level)
    with screen.watching(job) as view:
        while not follower.look(view):
            time.sleep(INTERVAL)

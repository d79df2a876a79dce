"""Following a job while it waits and runs: its log lines and its progress, from the database."""

import time

from ..core import reasons
from ..models import Job, JobLogEntry
from ..monitoring import log_lines, related, waiting
from .exits import failure
from .screen import Screen, View

#: Seconds between two updates.
INTERVAL = 0.5
_BATCH = 2000


def lines_of(job: Job, level: str = 'debug', after: int = 0) -> 'list[JobLogEntry]':
    """Return the next log lines of a job after a key, from a level on; lines of other levels are always included."""
    return list(log_lines.lines(job, level).filter(pk__gt=after).order_by('pk')[:_BATCH])


class Follower:
    """Shows the new log lines and the state of a job at each update."""

    def __init__(self, screen: Screen, job: Job, level: str) -> None:
        self.job, self._screen, self._level = job, screen, level
        self._seen = 0

    def show_lines(self) -> None:
        """Show the lines that have been written since the last update."""
        while lines := lines_of(self.job, self._level, self._seen):
            self._seen = lines[-1].pk
            self._screen.log(lines)

    def update(self, view: View) -> bool:
        """Show what is new; return whether the job has ended.

        Raises:
            CommandError: The job has been deleted.
        """
        try:
            self.job.refresh_from_db(
                fields=(
                    'status',
                    'due',
                    'scheduled',
                    'started',
                    'stopping',
                    'error',
                    'completed',
                    'execution_time',
                    'attempt',
                )
            )
        except Job.DoesNotExist:
            raise failure(f'Job {self.job.pk} ({self.job.name}) has been deleted.') from None
        # The status was read first, so a job that has ended has written all its lines.
        self.show_lines()
        wait = waiting.reason(self.job, in_full=True)
        progress = related.progress_of([self.job]).get(self.job.pk)
        view.state(self.job, progress, reasons.in_words(wait) if wait is not None else '')
        return self.job.ended


def until_end(screen: Screen, job: Job, level: str = 'debug') -> None:
    """Show a job's log and progress until it has ended.

    Raises:
        CommandError: The job has been deleted.
        KeyboardInterrupt: Ctrl-C; the job continues.
    """
    follower = Follower(screen, job, level)
    with screen.watching(job) as view:
        while not follower.update(view):
            time.sleep(INTERVAL)

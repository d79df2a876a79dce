"""The lines of a job's log, by their level."""

from django.db.models import QuerySet

from ..models import Job, JobLogEntry

#: The levels in the order of their severity; lines of other levels are always among the lines.
LEVELS = ('debug', 'info', 'warning', 'error', 'critical')


def lines(job: Job, level: str = '') -> 'QuerySet[JobLogEntry]':
    """Return the lines of a job's log.

    Args:
        job: The job.
        level: Leave out the lines of less severe levels than this one; if it is no level, return all lines.
    """
    rows = JobLogEntry.objects.using(job._state.db).filter(job_id=job.pk)
    return rows.exclude(level__in=LEVELS[: LEVELS.index(level)]) if level in LEVELS else rows

"""Why a job waits, as a value: `monitoring` finds the reason, `formatting` puts it into words."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

#: How many jobs that come before another one are counted.
BEHIND = 1_000


class WaitKind(StrEnum):
    """The reasons why a job does not run yet."""

    UNSAVED = 'unsaved'
    JOBS = 'jobs'
    WORKFLOW = 'workflow'
    PREVIOUS = 'previous'
    SCHEDULE_LOCKED = 'schedule_locked'
    SCHEDULE_PAUSED = 'schedule_paused'
    QUEUE_PAUSED = 'queue_paused'
    DUE = 'due'
    BACKOFF = 'backoff'
    LIMIT = 'limit'
    RATE = 'rate'
    SLEEP = 'sleep'
    SIGNAL = 'signal'
    NO_WORKER = 'no_worker'
    REDIS = 'redis'
    IN_LINE = 'in_line'


@dataclass(frozen=True, slots=True)
class Wait:
    """The reason why a job waits, with the details that belong to its kind."""

    kind: WaitKind
    #: The jobs that it waits for (JOBS, PREVIOUS): the first few,
    jobs: tuple[int, ...] = ()
    #: and how many there are beyond these. Of a job IN_LINE, how many come before it, as far as is known: `BEHIND` + 1
    #: if there are more than are counted.
    more: int = 0
    #: The workflow that decides whether the job, a callback, is needed (WORKFLOW).
    workflow: int | None = None
    #: The paused schedule.
    schedule: int | None = None
    queue: str = ''
    #: The limit that has no slot for it, and how many jobs of it run at once (LIMIT); `jobs` are some of these.
    limit: str = ''
    most: int = 0
    #: The time of a rate, in seconds: `most` jobs of `limit` begin within it (RATE).
    per: float = 0
    #: When it can run (DUE, BACKOFF), wakes up (SLEEP), waits no longer (SIGNAL, if it has a time-out), or when
    #: there is room again, as far as is known (RATE).
    until: datetime | None = None
    #: The signal that it waits for (SIGNAL).
    signal: str = ''
    #: The attempt that comes next (BACKOFF).
    attempt: int | None = None

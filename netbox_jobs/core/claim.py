"""What one object of a job may write to its row: as long as it holds the claim, and after it has recorded the end.

Both values are frozen, and made by `lifecycle` alone. Their conditions go into the WHERE of every write, so that the
row decides: an object that has lost its claim writes nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..choices import JobStatusChoices


@dataclass(frozen=True, slots=True)
class Claim:
    """The right of one process to run a job and to record its outcome."""

    #: The primary key of the job.
    job: int
    #: The name under which the process claims jobs (see `identity`).
    token: str
    #: The number of the attempt, from 1.
    attempt: int
    #: The alias of the database that holds the row.
    database: str
    #: The interval in minutes that the row had when it was claimed.
    interval: int | None = None
    #: When it was claimed, in seconds of this process' monotonic clock; None if another process claimed it.
    since: float | None = None
    #: Whether another process has the claim by now, the job was requeued, or its row was deleted.
    lost: bool = False

    @property
    def conditions(self) -> dict[str, Any]:
        """What the row says as long as the claim holds."""
        return {'status': JobStatusChoices.STATUS_RUNNING, 'worker': self.token, 'attempt': self.attempt}


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a job, as an object has recorded it."""

    status: str
    attempt: int
    completed: datetime | None
    #: The callback that announces the end after the commit; None once it has run.
    announcement: Callable[[], None] | None = None

    @property
    def conditions(self) -> dict[str, Any]:
        """What the row says as long as nothing else happens to the job."""
        return {'status': self.status, 'attempt': self.attempt, 'completed': self.completed}

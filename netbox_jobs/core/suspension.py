"""Where a run leaves `run()` to sleep or to wait for a signal, and the exception with which it does."""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

SLEEP = 'sleep'
WAIT = 'wait'


class Suspended(BaseException):
    """Ends a run whose job is given back, to be continued later.

    It is no `Exception`, so that a run which catches those sleeps all the same.
    """


@dataclass(frozen=True, slots=True)
class Suspension:
    """A sleep, or a wait for a signal: the same one in each run of a job by its kind, its name and its number."""

    kind: str
    #: Of a wait, that of its signal.
    name: str
    #: Of those of the same kind and name in one run, from 1.
    number: int
    started: datetime
    #: When it is over, in milliseconds since the epoch; None for a wait without end.
    until: int | None
    #: `Meta.version` of the code.
    version: str = ''

    @property
    def key(self) -> str:
        """The hash that finds its row. (Names hold no NUL, so that no step has the same.)"""
        return sha256(f'{self.kind}\0{self.name}\0{self.number}'.encode('utf-8', 'backslashreplace')).hexdigest()

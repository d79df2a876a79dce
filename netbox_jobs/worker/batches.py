"""How many jobs a child is sent at once."""

from .protocol import MOST

#: Seconds of work that one batch has.
WORK = 0.05
#: Seconds after which a job is a long one: where a core is free, and at most.
LONG, LONGEST = 0.05, 0.25
#: How many times as long as its handing over a long job takes: on a busy machine, every job takes a while.
TIMES = 10
#: Seconds up to which a job is short.
SHORT = 0.5


class BatchSize:
    """Adapts to how long jobs take, how many wait, and how many workers share them."""

    def __init__(self) -> None:
        self._seconds: float | None = None  # that a job takes, of late
        self._handing_over = 0.0  # seconds from the end of one batch to the beginning of the next, of late
        #: How many workers serve the queues.
        self.workers = 1

    def learn(self, jobs: int, seconds: float) -> None:
        """So many jobs have taken so long, together."""
        if not jobs:
            return
        mean = seconds / jobs
        # A job that takes long counts at once, one that is short by and by.
        self._seconds = mean if self._seconds is None else max(mean, (self._seconds + mean) / 2)

    def learn_handing_over(self, seconds: float) -> None:
        """Between two batches the child had nothing to run for so long: the parent took and sent the next one."""
        # Limited, so that one outage is soon forgotten.
        self._handing_over = (self._handing_over + min(seconds, LONGEST / TIMES)) / 2

    @property
    def long(self) -> float:
        """Seconds after which a job is a long one: RQ records that it runs, and the jobs behind it go back."""
        return min(max(LONG, TIMES * self._handing_over), LONGEST)

    @property
    def is_known_short(self) -> bool:
        """Whether jobs are short, of late."""
        return self._seconds is not None and self._seconds <= SHORT

    def fitting(self, waiting: int) -> int:
        """How many to take while so many wait: a worker's share of them, and no more than it runs in a moment."""
        if self._seconds is None:
            return 0
        return min(int(WORK / max(self._seconds, WORK / MOST)), waiting // max(self.workers, 1))

    def next(self, waiting: int) -> int:
        """The same for a worker that has nothing else to do: one at least."""
        return max(1, self.fitting(waiting))

    def share(self, taken: int, waiting: int) -> int:
        """How many of the taken jobs to keep, while so many others wait: none that another worker could run."""
        return max(1, -(-(taken + waiting) // max(self.workers, 1)))

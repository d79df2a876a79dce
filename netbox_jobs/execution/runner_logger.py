"""The loggers of runners: their records become lines of the log of the job that they belong to."""

import logging
from typing import Any

from ..core import runs

logger = logging.getLogger('netbox_jobs')


class _Kept:
    """Marks a record whose line is kept, in this process: one that is sent to another is kept there."""

    def __reduce__(self) -> Any:
        return type(None), ()


class RunnerLogger(logging.Logger):
    """The logger of one runner object: its records belong to its job, in every thread. `logging` does not keep it."""

    def __init__(self, name: str, job: Any) -> None:
        above = _class_logger(name)
        super().__init__(above.name, logging.DEBUG)
        self.parent = above
        self._job = job

    def callHandlers(self, record: logging.LogRecord) -> None:
        """Keep the line first: also that of a logger which does not propagate."""
        _handler.keep(record, self._job)
        record.netbox_job = _Kept()
        super().callHandlers(record)

    def filter(self, record: logging.LogRecord) -> Any:
        """Also what the logger of the class filters."""
        passed = super().filter(record)
        if not passed or self.parent is None:
            return passed
        return self.parent.filter(passed if isinstance(passed, logging.LogRecord) else record)

    def __reduce__(self) -> Any:
        return logging.getLogger, (self.name,)  # as any logger: there is one of this name in every process


class JobHandler(logging.Handler):
    """The one handler of the loggers below which runners have theirs: lines go to the log of the job that runs here.

    The logger of a runner object keeps its own lines.
    """

    def emit(self, record: logging.LogRecord) -> None:
        # The logger `netbox_jobs` itself is the framework's own voice; those below it belong to runners.
        if record.name == logger.name or isinstance(getattr(record, 'netbox_job', None), _Kept):
            return
        if run := runs.current_run():
            self.keep(record, run.job)

    def keep(self, record: logging.LogRecord, job: Any) -> None:
        """Put it into the log of this job."""
        if not hasattr(job, 'log'):
            return
        try:
            job.log(record)
        except Exception:
            self.handleError(record)


_handler = JobHandler()
# By this name, with that of the class behind it, code that was written for NetBox may ask for a runner's logger.
_netbox = logging.getLogger('netbox.jobs')


def runner_logger(name: str, job: Any) -> logging.Logger:
    """Return the logger `netbox_jobs.<name>` of a runner of this job; it keeps every level, whatever LOGGING sets."""
    return RunnerLogger(name, job)


def _class_logger(name: str) -> logging.Logger:
    for root in (logger, _netbox):
        if _handler not in root.handlers:
            root.addHandler(_handler)
        own = root.getChild(name)
        if own.level != logging.DEBUG:  # setting it empties the caches of all loggers
            own.setLevel(logging.DEBUG)
    return logger.getChild(name)

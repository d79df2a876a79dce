"""The loggers of runners: their records become lines of the log of the job that they belong to."""

import logging
from typing import Any

from ..core import errors, runner_options, runs

logger = logging.getLogger('netbox_jobs')


class _Kept:
    """Marks a record whose line is kept, in this process: one that is sent to another is kept there."""

    def __reduce__(self) -> Any:
        return type(None), ()


def mask(record: logging.LogRecord) -> bool:
    """Hide the values of the sensitive arguments of the current run in a record; a filter that passes it."""
    run = runs.current_run()
    if run is None or run.secrets is None:
        return True
    message = record.getMessage()
    if (masked := run.secrets.mask(message)) != message:
        record.msg, record.args = masked, ()
    error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
    if error is not None and run.secrets.safe(error) is not error:
        record.exc_text = run.secrets.mask(errors.traceback_of(error).rstrip())
        record.exc_info = None
    return True


logger.addFilter(mask)


class RunnerLogger(logging.Logger):
    """The logger of one runner object: its records belong to its job, in every thread. `logging` does not keep it."""

    def __init__(self, name: str, job: Any, level: int) -> None:
        above = _class_logger(name)
        super().__init__(above.name, logging.DEBUG)
        self.parent = above
        self._job, self._kept_level = job, level

    def callHandlers(self, record: logging.LogRecord) -> None:
        """Keep the line first: also that of a logger which does not propagate."""
        if record.levelno >= self._kept_level:
            _handler.keep(record, self._job)
        record.netbox_job = _Kept()
        mask(record)
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
        if (run := runs.current_run()) and record.levelno >= runner_options.log_level(run.job.runner):
            self.keep(record, run.job)
        record.netbox_job = _Kept()

    def keep(self, record: logging.LogRecord, job: Any) -> None:
        """Put it into the log of this job."""
        if not hasattr(job, 'log'):
            return
        try:
            job.log(record)
        except Exception:
            self.handleError(record)


class Gate(logging.Logger):
    """Stands above the logger of a runner class, which passes every level: the log of a job has a level of its own.

    Only the records that the project's LOGGING lets through go on to the handlers above. No registry knows it.
    """

    def __init__(self, below: logging.Logger) -> None:
        super().__init__(below.name)
        self._below = below
        self.propagate = False
        self.handlers = [_Forwarding(self)]

    def adopt(self) -> None:
        """Take note of what LOGGING says of the logger below, which may have been configured anew.

        Several threads may do so at once: each reads what it changes once.
        """
        below, above, level = self._below, self._below.parent, self._below.level
        if above is not self:
            self.parent, below.parent = above, self
        if level != logging.DEBUG:
            self.level = level
            below.setLevel(logging.DEBUG)
        if not below.propagate and _handler not in below.handlers:
            below.addHandler(_handler)
        for handler in below.handlers:
            if handler is not _handler and self.passes not in handler.filters:
                handler.addFilter(self.passes)

    def passes(self, record: logging.LogRecord) -> bool:
        """Return whether LOGGING lets a record of the logger below, or of one below that, through."""
        if record.name != self.name and not record.name.startswith(f'{self.name}.'):
            return True  # of another logger, which has the same handler
        return record.levelno >= self.getEffectiveLevel()


class _Forwarding(logging.Handler):
    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self._gate = gate

    def handle(self, record: logging.LogRecord) -> bool:
        """Keep the line in the job's log; pass the record on.

        Not by `callHandlers()`, which telemetry wraps (Sentry): it has seen this record, and would count it twice.
        """
        _handler.handle(record)
        mask(record)
        above = self._gate.parent if self._gate.passes(record) else None
        while above is not None:
            for handler in above.handlers:
                if record.levelno >= handler.level:
                    handler.handle(record)
            above = above.parent if above.propagate else None
        return True


_handler = JobHandler()
_gates: dict[str, Gate] = {}
# By this name, with that of the class behind it, code that was written for NetBox may ask for a runner's logger.
_netbox = logging.getLogger('netbox.jobs')


def runner_logger(runner: type[Any], job: Any) -> logging.Logger:
    """Return the logger `netbox_jobs.<name>` of a runner of this job.

    Every level from `Meta.log_level` on is kept, whatever LOGGING sets; LOGGING counts for the project's handlers.
    """
    return RunnerLogger(runner.__name__, job, runner_options.kept_level(runner))


def prepare_logger(runner: type[Any]) -> None:
    """Make the logger of a runner. (logging then forgets what all others let through, which takes a while.)"""
    _class_logger(runner.__name__)


def _class_logger(name: str) -> logging.Logger:
    for root in (logger, _netbox):
        if _handler not in root.handlers:
            root.addHandler(_handler)
        own = root.getChild(name)
        gate = _gates.get(own.name) or _gates.setdefault(own.name, Gate(own))
        gate.adopt()
    return logger.getChild(name)

"""The runs of this process: which job the code that runs right now belongs to."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NoReturn, Protocol, TypeAlias, TypeVar

from .secrets import Secrets
from .suspension import Suspension

T = TypeVar('T')
# The models are a room below this one.
Job: TypeAlias = Any


class Run(Protocol):
    """A run of a job in this process, as the rooms above `execution` see it."""

    job: Job
    #: What `run()` raised, also if the job is retried after it.
    raised: BaseException | None
    #: The names of the steps that it has begun.
    steps: set[str]
    #: Whether no transaction was open when it began: what is open now is that of `run()`.
    owns_connection: bool
    #: Whether its outcome is left to recovery if another transaction keeps the row of its job locked.
    leaves: bool
    #: How often it has begun to sleep, and to wait for a signal, by kind and name.
    pauses: Counter[tuple[str, str]]
    #: What it sleeps or waits for: it ends there, and its job is given back.
    suspension: Suspension | None
    #: The values of its sensitive arguments; None if it has none.
    secrets: Secrets | None

    def log(self, level: str, message: str, created: float) -> None:
        """Keep one log line of the job."""

    def flush(self) -> None:
        """Write the lines kept so far."""

    def progress(self, current: int, total: int | None, message: str) -> None:
        """Keep how far the run is."""

    def stop(self) -> None:
        """Tell the run that a stop was requested."""

    @property
    def stopping(self) -> bool:
        """Whether a stop was requested."""

    @property
    def changed_arguments(self) -> dict[str, Any] | None:
        """The arguments that `handle()` has passed to `run()`, if they are others than the row has; else None."""

    @property
    def next_claim(self) -> Any:
        """How the process claims its next job with the end of this one (see `lifecycle.claim_next`); None if not so."""

    def suspend(self, suspension: Suspension) -> NoReturn:
        """Leave `run()`, to be continued when the sleep or the wait is over.

        Raises:
            Suspended: Always.
        """

    def before_end(self) -> bool:
        """End what surrounds `run()`: lift its time limit, reset a broken connection, write the log lines still held.

        Returns:
            Whether a transaction was broken and was rolled back, with what had been written in it.
        """

    def persist(self, write: 'Callable[[], T]') -> 'T':
        """Call `write`; reconnect and call it again while the database is away."""


_run: ContextVar['Run | None'] = ContextVar('netbox_jobs.run', default=None)
# A worker runs one job at a time: threads, which do not inherit the context, belong to it. Unless that job runs others
# within itself, when it cannot be told which.
_sole_run: 'Run | None' = None
_within_sole = 0
_lock = threading.Lock()
# The runs by the identity of their job object, for threads that do not inherit the context.
_of_object: 'dict[int, Run]' = {}
# A stop of the delivered run was requested between its claim and its beginning.
_asked_early = False
# Threads that were there before the run began belong to no run: the worker's own, or left by an earlier job.
_older_threads: frozenset[threading.Thread] = frozenset()


def current_run() -> 'Run | None':
    """Return the run that the calling code is part of, or None."""
    run = _run.get()
    if run is not None or _sole_run is None:
        return run
    return None if _within_sole or threading.current_thread() in _older_threads else _sole_run


def delivered_run() -> 'Run | None':
    """Return the run of the job that this process has received from its worker, also while it runs others within it."""
    return _sole_run


def stop_delivered_run() -> None:
    """Tell the delivered run that a stop was requested, or as soon as it begins. Signal handlers call it."""
    global _asked_early
    if _sole_run is not None:
        _sole_run.stop()
    else:
        _asked_early = True


def expect_delivered_run() -> None:
    """Forget a stop that was requested of an earlier run."""
    global _asked_early
    _asked_early = False


def run_of(job: Job) -> 'Run | None':
    """Return the current run if it is that of the object's row, or the run of this object in another thread."""
    run = current_run()
    if run is not None and run.job.pk == job.pk:
        return run
    return _of_object.get(id(job))


def masked(job: Job, text: str) -> str:
    """Return a text about a job as it may be written, without the values of sensitive arguments."""
    run = run_of(job)
    return text if run is None or run.secrets is None else run.secrets.mask(text)


def masked_data(job: Job) -> Any:
    """Return the data of a job as it may be written."""
    run = run_of(job)
    return job.data if run is None or run.secrets is None else run.secrets.mask_data(job.data)


@contextmanager
def running(run: 'Run', *, sole: bool = False) -> Iterator[None]:
    """Make `run` the current one; `sole` says that this process runs nothing else, so threads belong to it too."""
    global _sole_run, _within_sole, _older_threads
    token = _run.set(run)
    with _lock:
        sole = sole and _sole_run is None
        if sole:
            _older_threads = frozenset(threading.enumerate()) - {threading.current_thread()}
            _sole_run = run
        else:
            _within_sole += 1
    before = _of_object.get(id(run.job))
    _of_object[id(run.job)] = run
    if sole and _asked_early:
        run.stop()
    try:
        yield
    finally:
        if _of_object.get(id(run.job)) is run:
            if before is None:
                del _of_object[id(run.job)]
            else:
                _of_object[id(run.job)] = before
        _run.reset(token)
        with _lock:
            if sole:
                _sole_run = None
            else:
                _within_sole -= 1

"""Which job the code that runs right now belongs to."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from ..enqueue.unique import Place
    from ..models import Job

T = TypeVar('T')


class Run(Protocol):
    """One execution of a job in this process, as the layers below the execution see it."""

    job: 'Job'

    def log(self, level: str, message: str, created: float) -> None:
        """Keep one log line of the job."""

    def flush(self) -> None:
        """Write the lines kept so far."""

    def progress(self, current: int, total: int | None, message: str) -> None:
        """Keep how far the run is."""

    def stop(self) -> None:
        """The end of the run was asked for."""

    @property
    def stopping(self) -> bool:
        """Whether the end of the run was asked for."""

    def before_end(self) -> bool:
        """`run()` is over: lift its timeout, mend the connection, write the log lines still held.

        Returns:
            Whether a transaction was broken and had to be given up, with what had been written in it.
        """

    def persist(self, write: 'Callable[[], T]') -> 'T':
        """Call `write`, again after reconnecting if the database is away."""


_run: ContextVar['Run | None'] = ContextVar('netbox_jobs.run', default=None)
#: The periodic job whose successor is being made right now; `enqueue()` links what it makes to it.
ending: ContextVar['Job | None'] = ContextVar('netbox_jobs.ending', default=None)
#: The place that `enqueue_once()` holds for the job that the runner's `enqueue()` is about to make.
place: ContextVar['Place | None'] = ContextVar('netbox_jobs.place', default=None)
#: A job that is enqueued once more; what the runner's `enqueue()` omits is taken from it.
model: ContextVar['Job | None'] = ContextVar('netbox_jobs.model', default=None)
# A worker runs one job at a time: threads, which do not inherit the context, belong to it. Unless that job runs others
# within itself, when nobody can tell.
_sole_run: 'Run | None' = None
_within_sole = 0
_lock = threading.Lock()
# The runs by the identity of their job object, for threads that do not inherit the context.
_of_object: 'dict[int, Run]' = {}
# The end of the delivered run was asked for in the moment between its claim and its beginning.
_asked_early = False
# Those that were there before the run began belong to none: a worker's own, or left behind by an earlier job.
_older_threads: frozenset[threading.Thread] = frozenset()


def current_run() -> 'Run | None':
    """The run that the calling code is part of, or None."""
    run = _run.get()
    if run is not None or _sole_run is None:
        return run
    return None if _within_sole or threading.current_thread() in _older_threads else _sole_run


def delivered_run() -> 'Run | None':
    """The run for which this worker's process was told to work, also while it runs others within itself."""
    return _sole_run


def stop_delivered_run() -> None:
    """Tell the delivered run that its end was asked for, or as soon as it begins; called from a signal handler."""
    global _asked_early
    if _sole_run is not None:
        _sole_run.stop()
    else:
        _asked_early = True


def expect_delivered_run() -> None:
    """What was asked of an earlier run does not count for the one that comes now."""
    global _asked_early
    _asked_early = False


def current_job() -> 'Job | None':
    """The job that the calling code is part of, anywhere below its `run()`; None outside of one.

    Also in `asyncio`, and in the threads that a job starts in a worker. With `immediate`, where other jobs may run in
    the same process, a thread must be started in a copy of the context, as `asyncio.to_thread()` does.
    """
    run = current_run()
    return run.job if run is not None else None


def run_of(job: 'Job') -> 'Run | None':
    """The current run if it is a run of this very job object's row, or that of this object in another thread."""
    run = current_run()
    if run is not None and run.job.pk == job.pk:
        return run
    return _of_object.get(id(job))


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


@contextmanager
def _bound(variable: ContextVar[Any], value: Any) -> Iterator[None]:
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


def making_successor_of(job: 'Job') -> AbstractContextManager[None]:
    """What `enqueue()` makes with an interval in here, for the job's runner and instance, is its successor."""
    return _bound(ending, job)


def taking_from(job: 'Job') -> AbstractContextManager[None]:
    """What `enqueue()` omits in here, for the job's runner and instance, is as the job has it."""
    return _bound(model, job)


def filling(held: 'Place') -> AbstractContextManager[None]:
    """The next job that `enqueue()` makes for the held place's key goes there."""
    return _bound(place, held)

"""From RQ to the row: claim the job, handle it, and see to it that it ends, whatever `run()` did or left behind."""

import asyncio
import inspect
import logging
import os
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, TypeVar

from django.db import DataError, IntegrityError, connections
from rq.timeouts import JobTimeoutException

from .. import lifecycle
from ..choices import JobStatusChoices
from ..core import conf, guards, identity, import_path, queues, retries, runs
from ..core.retries import RetryPolicy
from ..core.text import described
from ..exceptions import ArgumentsRefused, InstanceGone, JobCanceled, JobFailed, RunnerNotFound
from ..models import Job, database
from .call import call
from .coroutines import CoroutineRunner
from .heartbeat import BorrowedLease
from .logs import LineWriter
from .time_limit import Deadline

logger = logging.getLogger('netbox_jobs')
T = TypeVar('T')

#: Seconds between two looks into the database whether the end of the run was asked for, where no worker tells.
STOP_LOOK = 1.0


class Execution:
    """One run of a job in this process: its log, its time limit, its connection, and its end."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.failure: BaseException | None = None
        self._using = job._state.db or database()
        self._owns_connection = not connections[self._using].in_atomic_block
        self._alone = guards.is_in_memory(self._using)
        self._lines = LineWriter(job, own_connection=self._owns_connection and job.deliveries > 0 and not self._alone)
        self._deadline: Deadline | None = None
        self._within = runs.current_run()
        self._stop = threading.Event()
        self._next_look = 0.0
        self._coroutines = CoroutineRunner()
        self._again: BaseException | None = None
        self._error_before = job.error
        self._pid = os.getpid()

    @property
    def owns_connection(self) -> bool:
        """Whether no transaction of somebody else was open on this thread's connection when the run began."""
        return self._owns_connection

    @contextmanager
    def attended(self, *, sole: bool = False) -> Iterator[None]:
        """Make this the current run, and give signs of life for it where no worker of ours does."""
        with ExitStack() as stack:
            stack.enter_context(runs.running(self, sole=sole))
            if self._owns_connection and not identity.is_child_of_worker() and not self._alone:
                stack.enter_context(BorrowedLease(f'process {os.getpid()}'))
            yield

    # What the layers below call

    def log(self, level: str, message: str, created: float) -> None:
        """Keep a log line; `created` in seconds since the epoch."""
        self._lines.add(level, message, created)

    def flush(self) -> None:
        """Write the lines kept so far."""
        self._lines.flush()

    def progress(self, current: int, total: int | None, message: str) -> None:
        """Keep how far the run is."""
        self._lines.tell(current, total, message)

    def stop(self) -> None:
        """The end of the run was asked for: tell it. Safe to call from a signal handler, and from any thread."""
        self._stop.set()
        self._coroutines.cancel()

    @property
    def stopping(self) -> bool:
        """Whether the end of the run was asked for."""
        told = identity.is_child_of_worker() and self.job.deliveries > 0
        if not self._stop.is_set() and not told and time.monotonic() >= self._next_look:
            # No worker of ours stands behind this run, so that only the row can tell.
            self._next_look = time.monotonic() + STOP_LOOK
            rows = Job.objects.using(self._using).filter(pk=self.job.pk, stopping__isnull=False)
            if rows.exists():
                self._stop.set()
        return self._stop.is_set() or (self._within is not None and self._within.stopping)

    def before_end(self) -> bool:
        """Lift the time limit, mend a broken connection, write the log; returns whether a transaction was given up."""
        if self._deadline is not None:
            self._deadline.disarm()
        given_up = False
        if self._owns_connection and guards.is_broken(self._using):
            given_up = connections[self._using].in_atomic_block
            guards.mend()
        elif self._owns_connection and guards.is_left_open(self._using):
            self._lines.add('warning', 'run() has left autocommit off; what it has not committed is lost.', time.time())
            guards.mend()
        self._lines.close()
        return given_up

    def persist(self, write: Callable[[], T]) -> T:
        """Call `write`, again after reconnecting while the database is away, for a minute at most."""
        if not self._owns_connection:
            return write()
        return guards.persist(write, self._using, f'Job {self.job.pk}: its end')

    # The run

    def perform(self) -> None:
        """Resolve, decode, call within the time limit, and end."""
        job = self.job
        try:
            target = import_path.resolve(job.runner)
            if getattr(target, 'is_job_runner', False):
                target = target.handle
            kwargs = job.get_arguments()
            job._decoded = dict(kwargs)
        except RunnerNotFound as error:
            self._release_or_end(error)
            return
        except Exception as error:
            self._refuse(error)
            return
        limit = job.job_timeout or queues.timeout(job.queue_name)
        self._deadline = Deadline(limit, self._coroutines.cancel, watched=identity.is_child_of_worker())
        with self._deadline:
            self.call(lambda: call(target, job, kwargs))
        self.settle()

    def complete(self, returned: Any) -> None:
        """Run a coroutine that `run()` returned to its end; anything else has ended already.

        The time limit, and whoever stops the job, cancel its task.

        Raises:
            JobTimeoutException, JobCanceled: It was cancelled by one of those.
            TypeError: It is a generator.
        """
        if inspect.isgenerator(returned) or inspect.isasyncgen(returned):
            raise TypeError('run() contains a yield, so that calling it runs none of it; call what yields from run().')
        if not inspect.iscoroutine(returned):
            return
        try:
            self._coroutines.run(returned, unwanted=self._stop.is_set)
        except asyncio.CancelledError:
            if self._deadline is not None and self._deadline.expired:
                raise self._deadline.error() from None
            if self._stop.is_set():
                raise JobCanceled from None
            raise

    def call(self, run: Callable[[], Any]) -> None:
        """Call it; what it raises is kept as the failure, also `SystemExit` and its like."""
        try:
            with self.guarded():
                self.complete(run())
        except BaseException as error:
            self.failed_with(error)
        finally:
            if os.getpid() != self._pid:
                # A copy of this process that run() has forked, and that was to end in it: it shares our connections.
                os._exit(1)

    def guarded(self) -> AbstractContextManager[None]:
        """In somebody else's transaction: keep it usable, whatever `run()` does to it.

        That of a caller (`immediate` inside `atomic`), or of a plugin's `handle()` around all of it.
        """
        return guards.guarded(self._using)

    def failed_with(self, error: BaseException) -> None:
        """Take note of what ended the run."""
        self.failure = error

    def end_with(self, error: BaseException) -> None:
        """End the job as what was raised says: `JobFailed` as failed, everything else as errored.

        Or give it back, if it is to be run again after such an error.
        """
        self.failed_with(error)
        if isinstance(error, JobCanceled) or self._stop.is_set():
            self._end_as_stopped(error)
            return
        if self._is_covered(error):
            self._again = error  # given back when nothing of the run is open any more: see settle()
            return
        self._end_as(error)

    def _end_as_stopped(self, error: BaseException) -> None:
        """The end that was asked for, whatever `run()` made of it."""
        self.failure = None
        if not isinstance(error, JobCanceled):
            self._lines.add('warning', f'Stopped: {"".join(traceback.format_exception(error))}', time.time())
        self.job.terminate(JobStatusChoices.STATUS_CANCELED, error=lifecycle.STOPPED)

    def _end_as(self, error: BaseException) -> None:
        if isinstance(error, JobFailed):
            own = str(self.job.error or '') if self.job.error != self._error_before else ''
            if own and str(error) not in own:
                self._lines.add('error', str(error), time.time())
            self.job.terminate(JobStatusChoices.STATUS_FAILED, error=own or str(error) or None)
            return
        if isinstance(error, JobTimeoutException):
            logger.warning('Job %s (%s): %s', self.job.pk, self.job.name, error)
        trace = ''.join(traceback.format_exception(error))
        said = described(error)
        self._lines.add('error', f'{said}\n{trace}', time.time())
        self.job.terminate(JobStatusChoices.STATUS_ERRORED, error=said)

    def _is_covered(self, error: BaseException) -> bool:
        """Whether the job is to be run again after this error. (An immediate one ends here and now.)"""
        if not self.job.deliveries or self.job.ended or self.job._lost or self._stop.is_set():
            return False
        try:
            return retry_policy(self.job).covers(error, self.job.retries)
        except Exception:
            logger.exception('Job %s (%s) has no usable retry policy; it ends.', self.job.pk, self.job.name)
            return False

    def _give_back(self, error: BaseException) -> None:
        """Have the job run again after its backoff."""
        job = self.job
        delay, said = retry_policy(job).delay(job.retries), described(error)
        trace = ''.join(traceback.format_exception(error))
        self._lines.add(
            'warning',
            f'{said}\nAttempt {job.attempt} failed; the next one is due in {delay:.1f} s.\n{trace}',
            time.time(),
        )
        self.before_end()
        try:
            released = self.persist(lambda: lifecycle.release(job, delay, after=said))
        except (TypeError, ValueError, DataError, IntegrityError):  # what it has left in job.data cannot be stored
            self._end_as(error)
            return
        if job.ended:  # it was stopped in this very moment
            self.failure = None
            return
        job._lost = True  # this object holds no claim any more
        if released:
            self.failure = None
            logger.info('Job %s (%s) is run again in %.1f seconds, after %s.', job.pk, job.name, delay, said)

    def settle(self) -> None:
        """End what `handle()` left running; write again what it ended within a transaction that came to nothing."""
        job = self.job
        if self._owns_connection and connections[self._using].in_atomic_block:
            guards.mend()
        status, error = job.status, job.error
        if lifecycle.reopen(job) and (self.failure is None or status != JobStatusChoices.STATUS_COMPLETED):
            lifecycle.end(job, status, error)
        elif not job.ended and not job._lost:
            if self.failure is None:
                job.terminate()
            elif self._again is None:
                self.end_with(self.failure)
            if self._again is not None and not job.ended:
                self._give_back(self._again)
        self._lines.close()

    def _refuse(self, error: Exception) -> None:
        if isinstance(error, ArgumentsRefused | InstanceGone):
            self.failed_with(error)
            self._lines.add('error', str(error), time.time())
            self.job.terminate(JobStatusChoices.STATUS_ERRORED, error=str(error))
        else:
            self.end_with(error)

    def _release_or_end(self, error: RunnerNotFound) -> None:
        # A rolling deploy: another worker may have the code. 5, 10, 20... seconds, until the grace is used up.
        delays = [min(5 * 2**n, 120) for n in range(self.job.releases + 1)]
        grace = conf.get('RUNNER_GRACE')
        if sum(delays[:-1]) < grace:
            delay = min(delays[-1], grace - sum(delays[:-1]))
            logger.warning('Job %s: %s It is given back for %s seconds.', self.job.pk, error, delay)
            lifecycle.release(self.job, delay)
            return
        self.failed_with(error)
        self._lines.add('error', str(error), time.time())
        lifecycle.suspend(self.job, str(error))
        self.job.terminate(JobStatusChoices.STATUS_ERRORED, error=str(error))


def retry_policy(job: Job) -> RetryPolicy:
    """How the job is retried: what its call says, else its runner.

    Raises:
        RunnerNotFound: An exception class of its call cannot be imported.
    """
    stored = dict(job.retry_policy)
    if 'on' in stored:
        stored['on'] = tuple(import_path.resolve(path) for path in stored['on'])
    meta = getattr(import_path.resolve(job.runner), 'Meta', None)
    named = retries.check(*(getattr(meta, option, None) for option in retries.OPTIONS))
    return RetryPolicy(**{**named, **stored})

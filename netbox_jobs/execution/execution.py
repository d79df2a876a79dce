"""One run of a job in this process: its log, its time limit, its connection, and its end."""

import asyncio
import inspect
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from typing import Any, NoReturn, TypeVar

from django.db import connections

from ..choices import JobStatusChoices
from ..core import contexts, errors, guards, identity, import_path, middleware, queues, runner_options, runs
from ..core.secrets import Secrets
from ..core.suspension import Suspended, Suspension
from ..exceptions import ArgumentsRefused, InstanceGone, JobCanceled, RunnerNotFound
from ..lifecycle.claim_next import NextClaim
from ..lifecycle.finish import finish, reopen
from ..models import Job, database
from . import forks
from .call import arguments_of, call, check_taken
from .coroutines import CoroutineRunner
from .ending import end_as, end_as_stopped, is_retried, refuse, requeue_or_end, retry_later, suspend_run
from .heartbeat import BorrowedLease
from .log_writer import LogWriter
from .time_limit import Deadline

T = TypeVar('T')

#: Seconds between two looks into the database whether a stop was requested, where no worker tells.
STOP_LOOK = 1.0


class Execution:
    """A run of a claimed job, whatever `run()` does and leaves behind."""

    def __init__(
        self, job: Job, *, arguments: dict[str, Any] | None = None, next_claim: NextClaim | None = None
    ) -> None:
        """Args:
        job: The job, with its claim.
        arguments: Its arguments, if they are known already.
        next_claim: How this process claims its next job.
        """
        self.job = job
        self.steps: set[str] = set()
        self.pauses: Counter[tuple[str, str]] = Counter()
        self.suspension: Suspension | None = None
        #: The values of its sensitive arguments.
        self.secrets: Secrets | None = None
        self.failure: BaseException | None = None
        #: What `run()` raised, also if the job is retried after it.
        self.raised: BaseException | None = None
        self.error_before = job.error
        self.changed_arguments: dict[str, Any] | None = None
        self._arguments = dict(arguments) if arguments is not None else None
        self._using = job._state.db or database()
        self.owns_connection = not (connection := connections[self._using]).in_atomic_block
        self._alone = guards.is_in_memory(connection)
        self.leaves = False
        self._log = LogWriter(job, own_connection=self.owns_connection and job.deliveries > 0 and not self._alone)
        self._deadline: Deadline | None = None
        self._within = runs.current_run()
        self._stop, self._next_look = threading.Event(), 0.0
        self._coroutines = CoroutineRunner()
        self._retry_after: BaseException | None = None
        self._pid, self._next_claim = os.getpid(), next_claim
        #: Whether none of the user's code is left to be run.
        self.over = False

    @contextmanager
    def attended(self, *, sole: bool = False) -> Iterator[None]:
        """Make this the current run, and send heartbeats for it if no worker of ours does."""
        with ExitStack() as stack:
            stack.enter_context(runs.running(self, sole=sole))
            if sole and runs.delivered_run() is self:
                stack.enter_context(forks.of_run())
                self.leaves = self.owns_connection and not self._alone
            if self.owns_connection and not identity.is_child_of_worker() and not self._alone:
                stack.enter_context(BorrowedLease(f'process {os.getpid()}'))
            yield

    # What the rooms above call

    def log(self, level: str, message: str, created: float) -> None:
        """Keep a log line; `created` in seconds since the epoch."""
        self._log.add(level, self._mask(message), created)

    def note(self, level: str, message: str) -> None:
        """Write a line of the framework's own to the job's log, at the end of the run: it starts no thread for it."""
        self._log.add(level, self._mask(message), time.time(), soon=False)

    def flush(self) -> None:
        """Write the lines kept so far."""
        self._log.flush()

    def progress(self, current: int, total: int | None, message: str) -> None:
        """Keep how far the run is."""
        self._log.report(current, total, self._mask(message))

    def hide(self, runner: Any, kwargs: dict[str, Any]) -> None:
        """Have the values of the sensitive arguments of this runner hidden in all that is written from now on."""
        if names := runner_options.sensitive(runner):
            self.secrets = Secrets(names, kwargs)

    def _mask(self, text: str) -> str:
        return text if self.secrets is None else self.secrets.mask(text)

    @property
    def told_failure(self) -> BaseException | None:
        """What RQ is told that the run has raised: it writes it to Redis, and to logs."""
        if self.failure is None or self.secrets is None:
            return self.failure
        return self.secrets.safe(self.failure)

    def stop(self) -> None:
        """Tell the run that a stop was requested. Safe to call from a signal handler, and from any thread."""
        self._stop.set()
        self._coroutines.cancel()

    @property
    def stopping(self) -> bool:
        """Whether a stop was requested."""
        told = identity.is_child_of_worker() and self.job.deliveries > 0
        if not self._stop.is_set() and not told and time.monotonic() >= self._next_look:
            # No worker of ours is the parent of this process, so that only the row can tell.
            self._next_look = time.monotonic() + STOP_LOOK
            rows = Job.objects.using(self._using).filter(pk=self.job.pk, stopping__isnull=False)
            if rows.exists():
                self._stop.set()
        return self._stop.is_set() or (self._within is not None and self._within.stopping)

    def suspend(self, suspension: Suspension) -> NoReturn:
        """Leave `run()`, to be continued when the sleep or the wait is over."""
        self.suspension = suspension
        raise Suspended

    def note_arguments(self, runner: type[Any], kwargs: dict[str, Any]) -> None:
        """Record the arguments that `handle()` passes to `run()`; the successor receives them if they are others."""
        self.hide(runner, kwargs)
        before = self._arguments
        # The very objects that were decoded are the same: `run()` may change what is in them.
        same = before is not None and kwargs.keys() == before.keys()
        if before is not None and same and all(value is before[name] for name, value in kwargs.items()):
            self.changed_arguments = None
        else:
            self.changed_arguments = kwargs

    @property
    def next_claim(self) -> NextClaim | None:
        """How this process claims its next job with the end of this one; None unless the end comes last."""
        return self._next_claim if self.over and self.owns_connection else None

    def before_end(self) -> bool:
        """Lift the time limit, reset a broken connection, write the log.

        Returns:
            Whether a transaction was broken and was rolled back.
        """
        if self._deadline is not None:
            self._deadline.disarm()
        rolled_back, connection = False, connections[self._using]
        if self.owns_connection and guards.is_broken(connection):
            rolled_back = connection.in_atomic_block
            guards.reset_connections()
        elif self.owns_connection and guards.is_left_open(connection):
            self.note('warning', 'run() has left autocommit off; what it has not committed is lost.')
            guards.reset_connections()
        self._log.close()
        return rolled_back

    def persist(self, write: Callable[[], T]) -> T:
        """Call `write`; reconnect and call it again while the database is away, for a minute at most."""
        if not self.owns_connection:
            return write()
        return guards.persist(write, self._using, f'Job {self.job.pk}: its end')

    # The run

    def perform(self) -> None:
        """Restore the context, decode the arguments, import the code, call it within its time limit, end the job."""
        with ExitStack() as stack:
            self._perform(stack)

    def _perform(self, stack: ExitStack) -> None:
        job = self.job
        try:
            stack.enter_context(contexts.restored(job))
            kwargs = arguments_of(job)
            target = import_path.resolve(job.runner)
            self.hide(target, kwargs)
            check_taken(target, kwargs)
            limit = job.job_timeout or queues.timeout(job.queue_name)
            is_runner = getattr(target, 'is_job_runner', False)
            if is_runner:
                target = target.handle
        except RunnerNotFound as error:
            requeue_or_end(self, error)
            return
        except (ArgumentsRefused, InstanceGone) as error:
            refuse(self, error)
            return
        except Exception as error:
            self.end_with(error)
            return
        self._arguments = dict(kwargs)
        watched, sole = identity.is_child_of_worker(), runs.delivered_run() is self
        self._deadline = Deadline(limit, self._coroutines.cancel, watched=watched, sole=sole)
        with self._deadline:
            within = (lambda run: run()) if is_runner else self.within_middleware
            self.call(lambda: within(lambda: call(target, job, kwargs)))
            self._deadline.disarm()
            self.settle()

    def complete(self, returned: Any) -> None:
        """Run a coroutine that `run()` returned to its end; anything else has ended already.

        The time limit, and a stop, cancel its task.

        Raises:
            JobTimeoutException, JobCanceled: One of these has canceled it.
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

    def within_middleware(self, run: Callable[[], Any]) -> None:
        """Call what a job runs, and run a coroutine that it returns to its end; within the project's middleware."""
        if middleware.configured():
            middleware.around_run(self.job, lambda: self.complete(run()))
        else:
            self.complete(run())
        if self.suspension is not None:  # and run(), or the middleware, has caught that
            raise Suspended

    def call(self, run: Callable[[], Any]) -> None:
        """Call it; what it raises is kept as the failure, also `SystemExit` and its like."""
        try:
            with suppress(Suspended), self.guarded():
                self.complete(run())
        except BaseException as error:
            self.failed_with(error)
        finally:
            if os.getpid() != self._pid:
                # A copy of this process that run() has forked, and that was to end in it: it shares our connections.
                os._exit(1)

    def guarded(self) -> AbstractContextManager[None]:
        """Keep a transaction that was open before `run()` usable, whatever `run()` does to it.

        That of a caller (`immediate` inside `atomic`), or of a plugin's `handle()` around all of it.
        """
        return guards.guarded(connections[self._using])

    def failed_with(self, error: BaseException) -> None:
        """Record what ended the run."""
        self.failure = self.raised = errors.released(error)

    def end_with(self, error: BaseException) -> None:
        """End the job as what was raised says; or requeue it, if it is retried after such an error."""
        self.failed_with(error)
        if isinstance(error, JobCanceled) or self._stop.is_set():
            end_as_stopped(self, error)
        elif is_retried(self.job, error):
            self._retry_after = error  # requeued when nothing of the run is open any more: see settle()
        else:
            end_as(self, error)

    def settle(self) -> None:
        """End what `handle()` left running; record again an end within a transaction that was rolled back."""
        job = self.job
        if self.owns_connection and connections[self._using].in_atomic_block:
            guards.reset_connections()
        status, error = job.status, job.error
        if reopen(job) and (self.failure is None or status != JobStatusChoices.STATUS_COMPLETED):
            finish(job, status, error)
        elif not job.ended and not (job.claim is not None and job.claim.lost):
            if self.failure is None and self.suspension is not None:
                suspend_run(self, self.suspension)
            elif self.failure is None:
                self.over = True
                job.terminate()
            elif self._retry_after is None:
                self.end_with(self.failure)
            if self._retry_after is not None and not job.ended:
                retry_later(self, self._retry_after)
        self._log.close()

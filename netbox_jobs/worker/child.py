"""The child process of a worker: it waits for jobs at the end of a pipe, and runs one after the other."""

import contextvars
import logging
import os
import random
import signal
import time
import traceback
from copy import copy
from multiprocessing.connection import Connection
from typing import Any, NoReturn

import rq.job
from django.db import Error as DBError
from django.db import connections, reset_queries
from redis.exceptions import RedisError
from rq.executions import Execution

from ..broker.delivery import ENTRY
from ..choices import JobStatusChoices
from ..core import guards, import_path, runs
from ..exceptions import JobFailed
from ..execution import entry, forks, time_limit
from ..lifecycle.claim import take_hold
from ..lifecycle.claim_next import NextClaim
from ..lifecycle.requeue import requeue
from ..models import Job
from . import child_end, records
from .connections import ThreadConnections, connect, keep_connections, prepare_claim
from .preload import Preload
from .protocol import Batch, Done, Failed, More, RunWithRQ, SharedPage
from .watchdog import Watchdog

logger = logging.getLogger('netbox_jobs')

#: The signal that tells the child to stop its job, if that still is the one in the shared page.
STOP = signal.SIGUSR1
#: The signal that has a child that ignores its time limit print its stack, before it is killed.
SHOW = signal.SIGUSR2
#: Seconds between two checks of a child that waits that its connection to the database still works.
REST = 30.0

_FAILURES = (JobStatusChoices.STATUS_ERRORED, JobStatusChoices.STATUS_FAILED)


class ChildProcess:
    """The code that runs in the child: `live()` does not return."""

    def __init__(self, worker: Any, pipe: Connection, page: SharedPage, parent: int, preload: Preload | None) -> None:
        """Args:
        worker: RQ's worker, as it was when the child was forked.
        pipe: The end of the pipe to the parent.
        page: The shared page.
        parent: The parent's process id.
        preload: Where the child tells what it had to import.
        """
        self._worker, self._pipe, self._page, self._parent, self._preload = worker, pipe, page, parent, preload
        self._imported = len(import_path.imported)
        # What RQ's object of every job of ours is like.
        self._like = worker.job_class('', connection=worker.connection, serializer=worker.serializer)
        self._like._func_name, self._like._instance, self._like._kwargs = ENTRY, None, {}
        self._like.worker_name = worker.name
        self._failed = False
        self._handlers: dict[int, Any] = {}
        self._spent = False  # a job has left this process unable to run others
        self._of_threads = ThreadConnections()
        self._claimed: Job | None = None  # the next job, claimed with the end of the one before
        # The batch: what RQ calls each delivery, the `job_id` of its job, and whether this process ends after them.
        self._jobs: list[tuple[str, str]] = []
        self._last = False

    def live(self) -> NoReturn:
        """Run what the parent sends until it sends None, or the last batch is done."""
        try:
            os.setpgid(0, 0)
            child_end.begin()
            random.seed()
            time_limit.span = self._page
            self._worker._is_horse, os.environ['RQ_WORKER_ID'] = True, self._worker.name
            self._worker._stopped_job_id = None  # the parent may be at the end of a job that was stopped
            self._set_signals()
            forks.note()
            keep_connections()
            Watchdog(self._parent).start()
            connect()
            if not self._pipe.poll():
                prepare_claim()
            while (message := self._receive()) is not None and self._run(message):
                pass
        except BaseException:
            logger.exception('The child process of this worker ends.')
            child_end.end(1)
        child_end.end()

    def _receive(self) -> Batch | RunWithRQ | None:
        while not self._pipe.poll(REST):
            self._of_threads.close_ended()
            connect(again=True)
        try:
            message: Batch | RunWithRQ | More | None = self._pipe.recv()
        except EOFError:
            return None
        # One that followed a batch which was over: what was not begun is the parent's.
        return self._receive() if isinstance(message, More) else message

    def _set_signals(self) -> None:
        self._worker.setup_work_horse_signals()
        signal.signal(STOP, self._stop)
        time_limit.show_on(SHOW)
        self._handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, STOP)}

    def _stop(self, *_args: Any) -> None:
        if self._page.stop == self._page.position:
            runs.stop_delivered_run()

    def _run(self, message: Batch | RunWithRQ) -> bool:
        """Run what a message asks for; returns whether this child takes another."""
        begun, fit = 0, True
        self._jobs, self._last = list(message.jobs) if isinstance(message, Batch) else [], message.last
        while fit and (self._has(begun) if isinstance(message, Batch) else not begun):
            runs.expect_delivered_run()
            self._failed = False
            if not self._page.begin(begun, time.monotonic()) and self._claimed is None:
                break
            # A context of its own, so that no context variable, language or time zone reaches the next job.
            context = contextvars.copy_context()
            if isinstance(message, Batch):
                context.run(self._run_job, begun)
            else:
                context.run(self._run_with_rq, message)
            self._page.end(begun, -time.monotonic() if self._failed else time.monotonic())
            fit, begun = self._tidy_up(), begun + 1
        if self._claimed is not None:  # it cannot be begun here any more
            take_hold(self._claimed)
            requeue(self._claimed, 0)
        more = fit and not (self._last and begun == max(len(self._jobs), 1))
        if not more and self._preload is not None:
            self._preload.tell(import_path.imported[self._imported :])
        self._pipe.send(Done(begun, more))
        return more

    def _has(self, position: int) -> bool:
        """Whether the batch has a job at this position; the parent may have sent more meanwhile."""
        while position >= len(self._jobs) and self._pipe.poll():
            try:
                more: More = self._pipe.recv()
            except EOFError:  # the parent has died
                return False
            self._jobs += more.jobs
            self._last = more.last
        return position < len(self._jobs)

    def _run_job(self, position: int) -> None:
        """Run one of our jobs; what RQ records of a failure is sent to the parent."""
        worker, (delivery_id, job_id) = self._worker, self._jobs[position]
        os.environ['RQ_JOB_ID'] = delivery_id
        job = copy(self._like)
        job._id, job._args = delivery_id, (job_id,)
        _make_current(job)
        try:
            claimed, self._claimed = self._claimed, None
            following = NextClaim(lambda: self._offer(position + 1))
            run = entry.run_delivered(job_id, sole=True, claimed=claimed, next_claim=following)
            self._claimed = following.job
            failure = None
            if run is not None:
                self._spent = isinstance(run.raised, MemoryError)
                if run.job.status in _FAILURES:
                    failure = run.told_failure or JobFailed(run.job.error)
        except BaseException as error:  # it could not be claimed; recovery delivers it again
            run, failure, self._spent = None, error, not isinstance(error, DBError)
        if failure is not None:
            job.origin = run.job.queue_name if run is not None else ''
            self._failed = True
            described = (type(failure), failure, failure.__traceback__)
            worker.handle_exception(job, *described)
            self._pipe.send(Failed(position, ''.join(traceback.format_exception(*described))))

    def _offer(self, position: int) -> str | None:
        """Return the `job_id` of the job at this position, if this child may begin it."""
        if self._has(position) and not _has_children() and self._page.may_claim(position):
            return self._jobs[position][1]
        return None

    def _run_with_rq(self, message: RunWithRQ) -> None:
        """Run one of our jobs by RQ's own code, which also writes RQ's records of it."""
        worker = self._worker
        os.environ['RQ_JOB_ID'] = message.delivery_id
        job = worker.job_class(message.delivery_id, connection=worker.connection, serializer=worker.serializer)
        job.restore(message.entry)
        queue = next((queue for queue in worker.queues if queue.name == message.queue_name), None)
        if queue is None:  # RQ lets a job be pushed into another queue than its own
            queue = worker.queue_class(message.queue_name, connection=worker.connection, serializer=worker.serializer)
        execution = Execution(message.execution_id, message.delivery_id, connection=worker.connection)
        execution.created_at, execution._job, execution.worker_name = message.created_at, job, worker.name
        if hasattr(worker, 'executions'):
            worker.executions.clear()
        worker.execution = execution
        try:
            worker.perform_job(job, queue, *([execution] if records.TAKES_EXECUTION else []))
        except RedisError as error:  # RQ's records cannot be written; the job itself has ended, and its row says so
            logger.warning("RQ's records of job %s could not be written (%s).", message.delivery_id, error)

    def _tidy_up(self) -> bool:
        """After a job: leave nothing of it for the next one; False if this process had better end."""
        forks.undo()
        if any(signal.getsignal(number) != handler for number, handler in self._handlers.items()):
            self._set_signals()
        else:
            time_limit.show_on(SHOW)  # nothing tells whether the job has changed that
        reset_queries()
        opened = [c for c in connections.all(initialized_only=True) if c.connection is not None]
        if any(c.in_atomic_block or not c.autocommit for c in opened):
            guards.reset_connections()
        self._of_threads.close_ended()
        child_end.flush_output()
        # What a job has started, and not waited for, ends with it; so does this process.
        return not (self._spent or _has_children())


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _make_current(job: Any) -> None:
    """Have `rq.get_current_job()` return this job: until RQ 3 by a stack, since then by a context variable."""
    if hasattr(rq.job, '_current_job'):
        rq.job._current_job.set(job)
        return
    while rq.job._job_stack.pop() is not None:
        pass
    rq.job._job_stack.push(job)

"""The fast worker: the same promises, with a child that is forked beforehand and lives on from job to job.

RQ's worker forks for each job, and each child connects to the database anew. Here the parent stays what it is: RQ's
loop, which takes an id from Redis, and watches over whoever runs it. Only that its child waits at the other end of a
pipe already, with its connections open. It is replaced when it dies, is stopped, or has run `JOBS_PER_CHILD` jobs.
"""

import contextvars
import inspect
import logging
import multiprocessing
import os
import random
import select
import signal
import threading
import time
from multiprocessing.connection import Connection
from typing import Any
from uuid import uuid4

from django.db import Error as DBError
from django.db import connections, reset_queries
from redis.exceptions import RedisError
from rq.exceptions import DequeueTimeout
from rq.executions import Execution
from rq.job import Job as RQJob
from rq.utils import now
from rq.worker import Worker as RQWorker
from rq.worker import WorkerStatus

from . import conf, context, deadlines, execution, horses
from .models import transitions
from .workers import SHOW, Worker

logger = logging.getLogger('netbox_jobs')

#: Seconds that a child which is to end in order is waited for.
_FAREWELL = 5.0

_TAKES_EXECUTION = 'execution' in inspect.signature(RQWorker.perform_job).parameters  # since RQ 3

#: Seconds for which the next job is looked for in one round trip for all queues; the least that Redis waits for.
_GLANCE = 0.01
#: The version of Redis that takes fractions of a second.
_FRACTIONS = (6, 0, 0)

# What the parent tells the child of a job: RQ's id of it, what Redis has of it, and the queue. While that runs, RQ's
# execution follows: its id, and its beginning.
_Order = tuple[str, dict[Any, Any] | None, str]


class Child:
    """The parent's view of a process that runs one job after the other."""

    def __init__(self, pid: int, pipe: Connection) -> None:
        self.pid, self.pipe = pid, pipe
        self.descriptor: int | None = os.pidfd_open(pid) if hasattr(os, 'pidfd_open') else None
        #: How many jobs it has begun.
        self.jobs = 0
        #: Whether it takes no more: its last job has left something behind.
        self.spent = False

    def is_alive(self) -> bool:
        """Whether it can be told of a job; False also when it has ended itself in order."""
        try:
            return os.waitpid(self.pid, os.WNOHANG)[0] == 0
        except ChildProcessError:
            return False

    def close(self) -> None:
        """Forget it."""
        self.pipe.close()
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None


class FastWorker(Worker):
    """A worker whose child lives on; see `rqworker --fast`."""

    _child: Child | None = None
    _next_suspension = 0.0
    _pipe: Connection | None = None  # in the child: to the parent
    _current: Any = None  # in the child: RQ's execution of the job
    _answered = _fit = False
    _state: str

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Held while a job is handed over or comes to its end, so that its stop never hits the next one. (A signal
        # handler of the same thread may want it.)
        self._handover = threading.RLock()
        self.job_class: Any = _remembering(self.job_class)

    # The parent's loop

    def bootstrap(self, *args: Any, **kwargs: Any) -> None:
        """RQ's beginnings, and the first child."""
        super().bootstrap(*args, **kwargs)
        self._ready_child()

    def teardown(self) -> None:
        """RQ's end, and that of the child."""
        self._dismiss()
        super().teardown()

    def dequeue_job_and_maintain_ttl(self, *args: Any, **kwargs: Any) -> Any:
        """The next job; what waits already is taken without telling Redis that this worker is idle in between."""
        # One look into all queues, where RQ makes one for each that is empty.
        glance = _GLANCE if tuple(self.get_redis_server_version()) >= _FRACTIONS else None
        try:
            found = self.queue_class.dequeue_any(
                self._ordered_queues,
                glance,
                connection=self.connection,
                job_class=self.job_class,
                serializer=self.serializer,
                death_penalty_class=self.death_penalty_class,
            )
        except DequeueTimeout:
            found = None
        except RedisError as error:
            self._tell_lost(error)
            found = None
        if found is None:
            self._tell_idle()
            return super().dequeue_job_and_maintain_ttl(*args, **kwargs)
        job, queue = found
        self.reorder_queues(reference_queue=queue)
        job.redis_server_version = self.get_redis_server_version()
        self.log.info('%s: %s (%s)', queue.name, job.description if self.log_job_description else '', job.id)
        return found

    def _tell_idle(self) -> None:
        super().set_state(WorkerStatus.IDLE)
        if hasattr(RQWorker, 'set_current_job_id'):  # until RQ 3
            try:
                self.set_current_job_id(None)
            except RedisError as error:
                self._tell_lost(error)

    def set_state(self, state: str, pipeline: Any = None) -> None:
        """RQ's state; that the worker is idle is told when it has nothing to do, not between two jobs."""
        if pipeline is None and state == WorkerStatus.IDLE and self._state == WorkerStatus.BUSY:
            self._state = state
            return
        super().set_state(state, pipeline)

    def check_for_suspension(self, burst: bool) -> None:
        """RQ's `suspend`, looked for once a second."""
        if time.monotonic() >= self._next_suspension:
            self._next_suspension = time.monotonic() + 1
            super().check_for_suspension(burst)

    def get_current_job_id(self, *args: Any, **kwargs: Any) -> str | None:
        """RQ's id of the job that runs."""
        if self._keeper is None:
            found: str | None = super().get_current_job_id(*args, **kwargs)
            return found
        return self._delivery_id

    def prepare_execution(self, job: RQJob) -> Any:
        """Hand the job over to the child, and open RQ's books about it meanwhile; the child closes them."""
        self._state = WorkerStatus.BUSY  # whatever Redis says: SIGTERM lets the job finish
        child = self._hand_over(job)
        try:
            begun = super().prepare_execution(job)
        except RedisError as error:  # the job runs nevertheless
            self._tell_lost(error)
            begun = self.execution = Execution(uuid4().hex, job.id, connection=self.connection)
            begun.created_at = now()
        except SystemExit:  # a second SIGTERM
            self._abandon(job)
            raise
        self._send(child, (begun.id, begun.created_at))
        return begun

    def fork_work_horse(self, job: RQJob, queue: Any) -> None:
        """It has the job already."""

    def _hand_over(self, job: RQJob) -> Child:
        child = self._ready_child()
        with self._handover:
            self._expect(job)
            self._horses += 1
            self._horse_pid = child.pid
            child.jobs += 1
        order: _Order = (job.id, vars(job).get('entry'), job.origin)
        self._send(child, order)
        return child

    def _send(self, child: Child, message: Any) -> None:
        try:
            child.pipe.send(message)
        except OSError:
            pass  # it has died this moment, which is seen to as the death of any horse

    def _look_for_end(self, pid: int, seconds: float) -> tuple[int | None, int | None, Any] | None:
        child = self._child
        assert child is not None
        watched: list[Any] = [child.pipe] if child.descriptor is None else [child.pipe, child.descriptor]
        ready = select.select(watched, [], [], seconds)[0]
        if child.pipe in ready:
            try:
                child.spent = not child.pipe.recv()
            except (EOFError, OSError):
                time.sleep(0.01)  # it dies; how, is known in a moment
            else:
                self._take_back()
                return pid, os.EX_OK, None
        found = self._wait4(pid)
        if found is not None:
            self._take_back(keep_pid=True)
        return found

    def _take_back(self, keep_pid: bool = False) -> None:
        with self._handover:
            self._delivery_id = None
            if not keep_pid:
                self._horse_pid = 0

    def _bury(self, status: int | None) -> None:
        child = self._child
        if child is None:
            return
        if self._horse_pid:  # it has not answered: it is dead
            self._end_group()
            child.close()
            self._child = None
        elif child.spent or child.jobs >= int(conf.get('JOBS_PER_CHILD')):
            self._dismiss()
        if self._child is None and not self._stop_requested:
            self._ready_child()

    def kill_horse(self, sig: signal.Signals = signal.SIGKILL) -> None:
        """End the child in the middle of its job."""
        with self._handover:
            super().kill_horse(sig)

    def _ready_child(self) -> Child:
        if self._child is not None and self._child.is_alive():
            return self._child
        if self._child is not None:
            self._dismiss()
        ours, theirs = multiprocessing.Pipe()
        with self._forking():
            pid = os.fork()
            if pid == 0:
                ours.close()
                self._live(theirs)
        try:
            os.setpgid(pid, pid)  # as the child does itself: whichever comes first
        except OSError:
            pass
        theirs.close()
        self._child = Child(pid, ours)
        return self._child

    def _dismiss(self) -> None:
        """End the child in order: it waits, or has died."""
        child, self._child = self._child, None
        if child is None:
            return
        child.pipe.close()  # which it hears
        deadline = time.monotonic() + _FAREWELL
        while child.is_alive() and time.monotonic() < deadline:
            if child.descriptor is None:
                time.sleep(0.02)
            else:
                select.select([child.descriptor], [], [], 0.1)
        try:
            os.killpg(child.pid, signal.SIGKILL)  # and what its jobs have left behind
        except (ProcessLookupError, PermissionError):
            pass
        child.is_alive()
        child.close()

    # The child

    def _live(self, pipe: Connection) -> None:
        """The child's life: one job after the other, until the parent hangs up."""
        try:
            os.setpgid(0, 0)
            random.seed()
            self._is_horse, self._keeper, self._child, self._preload = True, None, None, None
            self.setup_work_horse_signals()
            horses.be_brief(self.connection)
            _keep_connections()
            horses.Watch().start()
            self._pipe, more = pipe, True
            while more:
                try:
                    order: _Order = pipe.recv()
                except EOFError:
                    break
                # A context of its own, so that no context variable, language or time zone reaches the next job.
                more = contextvars.copy_context().run(self._perform, *order)
        except BaseException:
            logger.exception('The child of this worker ends.')
            logging.shutdown()
            os._exit(1)
        os._exit(0)

    def _perform(self, job_id: str, entry: dict[Any, Any] | None, queue_name: str) -> bool:
        self._answered = False
        context.expect_delivered_run()
        os.environ['RQ_WORKER_ID'], os.environ['RQ_JOB_ID'] = self.name, job_id
        job = self.job_class(job_id, connection=self.connection, serializer=self.serializer)
        if entry is None:
            job.refresh()
        else:
            job.restore(entry)  # the parent has asked Redis for it a moment ago
        queue = next(queue for queue in self.queues if queue.name == queue_name)
        self._current = current = Execution('', job_id, connection=self.connection)
        current.created_at, current._job = now(), job
        current.worker_name = self.name
        if hasattr(self, 'executions'):
            self.executions.clear()
        self.execution = current
        try:
            self.perform_job(job, queue, *([current] if _TAKES_EXECUTION else []))
        except RedisError as error:  # RQ's books cannot be kept; the job itself has ended, and its row says so
            self._tell_lost(error)
            self._redis_lost = False
        self._identify_execution()
        return self._answer()

    def handle_execution_ended(self, job: RQJob, queue: Any, heartbeat_ttl: int) -> None:
        """The job has ended. While this process writes that into RQ's books, the parent may look for the next one."""
        self._identify_execution()
        if job._success_callback_name or job._failure_callback_name:
            super().handle_execution_ended(job, queue, heartbeat_ttl)
            return
        job.ended_at = now()
        self._answer()

    def _identify_execution(self) -> None:
        """RQ's execution of this job: the parent has told of it since, unless it died before it had begun one."""
        assert self._pipe is not None and self._current is not None
        if self._current.id:
            return
        try:
            self._current.id, self._current.created_at = self._pipe.recv()
        except EOFError:
            self._current.id = uuid4().hex

    def set_current_job_id(self, job_id: str | None, pipeline: Any = None) -> None:
        """RQ 2's record of what runs; between two jobs it is left to the parent, who may be at the next one."""
        if job_id is not None or not self.is_horse:
            super().set_current_job_id(job_id, pipeline)

    def _answer(self) -> bool:
        """Tell the parent that the job has ended, and whether another may come; returns that."""
        assert self._pipe is not None
        if not self._answered:
            self._fit = self._tidy_up()
            self._answered = True
            self._pipe.send(self._fit)
        return self._fit

    def _tidy_up(self) -> bool:
        """After a job: leave nothing of it for the next one; False if this process had better end."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        self.setup_work_horse_signals()
        deadlines.show_on(SHOW)
        reset_queries()
        opened = [c for c in connections.all(initialized_only=True) if c.connection is not None]
        if any(c.in_atomic_block or not c.autocommit for c in opened):
            execution.mend_connections()
        try:
            # What a job has started, and not waited for, ends with it; so does this process.
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return True
        return False


def _remembering(job_class: Any) -> Any:
    """RQ's class of jobs, which keeps what it was loaded from: for the child, who need not ask Redis again."""

    class Remembering(job_class):
        def restore(self, raw_data: Any) -> Any:
            self.entry = raw_data
            return super().restore(raw_data)

    return Remembering


def _keep_connections() -> None:
    """Have database connections live as long as this process, where the project does not say how long; open ours."""
    for alias in connections:
        if connections[alias].settings_dict['CONN_MAX_AGE'] == 0:
            connections[alias].settings_dict['CONN_MAX_AGE'] = None
    try:
        connections[transitions.database()].ensure_connection()
    except DBError as error:
        logger.info('The database does not answer yet (%s).', error)

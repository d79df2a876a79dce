"""The parent's half of a worker: it forks a child beforehand, hands it a job, waits for its end, and buries it.

RQ forks when a job has come. Here the child waits at the other end of a pipe by then, with its connections open, so
that a job begins as soon as its id has been taken from Redis.
"""

import inspect
import logging
import multiprocessing
import os
import signal
import threading
from datetime import datetime
from typing import Any
from uuid import uuid4

from redis.exceptions import ConnectionError, RedisError, TimeoutError
from rq.executions import Execution
from rq.job import Job as RQJob
from rq.job import JobStatus
from rq.utils import now
from rq.worker import Worker as RQWorker
from rq.worker import WorkerStatus

from ..execution import time_limit
from .child import HorseWorker, Order
from .child_handle import Child, Ended

logger = logging.getLogger('netbox_jobs')

_TAKES_EXECUTION = 'execution' in inspect.signature(RQWorker.handle_job_success).parameters  # since RQ 3


class PreforkWorker(HorseWorker):
    """The half of a worker that lives in the parent: it has a child, whenever it waits for a job."""

    _child: Child | None = None
    _delivery_id: str | None = None  # RQ's id of what the child runs
    _horses = 0  # how many jobs have been begun
    _unclosed: Any = None  # a job whose end RQ's books do not know yet: with queue, execution, beginning and end
    _begun_at: datetime  # when the last job was handed over
    _state: str

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Held while a job is handed over or comes to its end, so that its stop never hits the next one. (A signal
        # handler of the same thread may want it.)
        self._handover = threading.RLock()
        self.job_class: Any = _remembering(self.job_class)

    def jobs_per_child(self) -> int:
        """How many jobs a child runs before another takes its place."""
        return 1

    def bootstrap(self, *args: Any, **kwargs: Any) -> None:
        """RQ's beginnings, and the first child."""
        super().bootstrap(*args, **kwargs)
        self._ready_child()

    def teardown(self) -> None:
        """RQ's end, and that of the child."""
        self._state = WorkerStatus.BUSY  # a SIGTERM does not come between
        self._close_books()
        self._dismiss()
        super().teardown()

    def check_for_suspension(self, burst: bool) -> None:
        """RQ's `suspend`, which may last; nothing is left to be done for the last job meanwhile."""
        self._close_books()
        super().check_for_suspension(burst)

    def dequeue_job_and_maintain_ttl(self, *args: Any, **kwargs: Any) -> Any:
        """The next job, when nothing is left to be done for the last one."""
        self._close_books()
        return None if self._stop_requested else super().dequeue_job_and_maintain_ttl(*args, **kwargs)

    def get_current_job_id(self, *args: Any, **kwargs: Any) -> str | None:
        """RQ's id of the job that runs."""
        if self.is_horse:
            found: str | None = super().get_current_job_id(*args, **kwargs)
            return found
        return self._delivery_id

    def prepare_execution(self, job: RQJob) -> Any:
        """Hand the job over to the child; while it runs, open RQ's books of it, and close those of the one before."""
        self._state = WorkerStatus.BUSY  # whatever Redis says: SIGTERM lets the job finish
        child = self._hand_over(job)
        begun = self._open_books(job)
        # By when it was handed over: the child may have been at its end before the books were open.
        job.started_at = begun.created_at = self._begun_at
        child.send((begun.id, begun.created_at))
        self._close_books()
        return begun

    def _open_books(self, job: RQJob) -> Any:
        if hasattr(self, 'executions'):  # since RQ 3; of one that could not be begun
            self.executions.clear()
        begun = None
        # RQ shows the job's function, for which it would unpickle here what somebody has put into a foreign job.
        known, job._func_name = job._func_name, job.description
        try:
            begun = super().prepare_execution(job)
            self.prepare_job_execution(job, len(self.queues) == 1)
        except RedisError as error:
            self._tell_lost(error)
        except Exception:  # the job runs nevertheless
            logger.exception("RQ's books of job %s could not be opened.", job.id)
        finally:
            job._func_name = known
        if begun is None:
            begun = self.execution = Execution(uuid4().hex, job.id, connection=self.connection)
        return begun

    def _has_next(self) -> bool:
        return super()._has_next() or self._delivery_id is not None

    def fork_work_horse(self, job: RQJob, queue: Any) -> None:
        """It has the job already."""

    def _hand_over(self, job: RQJob) -> Child:
        child = self._ready_child()
        self._begun_at = now()
        with self._handover:
            self._expect(job)
            self._horses += 1
            self._horse_pid = child.pid
            child.jobs += 1
            child.last, child.answer = child.jobs >= self.jobs_per_child(), None
            child.span.record(0.0)
        order: Order = (job.id, vars(job).get('entry'), job.origin, child.last)
        child.send(order)
        return child

    def _expect(self, job: RQJob) -> None:
        """From now on, who asks for the end of this delivery is heard."""
        self._delivery_id = job.id

    def _look_for_end(self, seconds: float) -> Ended | None:
        """Wait so long for the end of the job, and return what `os.wait4()` would say; None if it goes on."""
        child = self._child
        assert child is not None
        ended = child.look(seconds)
        if ended is not None:
            with self._handover:
                self._delivery_id = None
                if child.goes_on:
                    self._horse_pid = 0
        return ended

    def _has_answered(self) -> bool:
        """Whether the child has told of the end of the job."""
        return self._child is not None and self._child.answer is not None

    def _take_books(self, job: RQJob, queue: Any, execution: Any) -> bool:
        """Whether the job has ended well, so that RQ's books about it are closed here, as soon as there is time."""
        answer = self._child.answer if self._child is not None else None
        if answer is None or answer[1] is None:
            return False
        self._unclosed = job, queue, execution, self._begun_at, answer[1]
        return True

    def _close_books(self) -> None:
        if self._unclosed is None:
            return
        state, self._state = self._state, WorkerStatus.BUSY  # so that a SIGTERM is noted, and does not come between
        try:
            self._close(*self._unclosed)
        except (ConnectionError, TimeoutError) as error:  # later, if it is not too late then
            self._tell_lost(error)
        except Exception:
            logger.exception("RQ's books of job %s could not be closed.", self._unclosed[0].id)
            self._unclosed = None
        else:
            self._unclosed = None
        self._state = state

    def _close(self, job: RQJob, queue: Any, execution: Any, *times: datetime) -> None:
        job._status, job._result = JobStatus.FINISHED, None
        job.started_at, job.ended_at = times
        given = {'job': job, 'queue': queue, 'started_job_registry': queue.started_job_registry}
        if _TAKES_EXECUTION:
            self.handle_job_success(**given, execution=execution)
            return
        current, self.execution = self.execution, execution
        try:
            self.handle_job_success(**given)
        finally:
            self.execution = None if current is execution else current

    def _bury(self) -> None:
        """The job has ended: what it has left behind ends with its child, if that does not go on."""
        child = self._child
        if child is None:
            return
        if not child.goes_on:
            self._end_group()
            child.close()
            self._child = None
        elif child.answer is not None and not child.answer[0]:
            self._dismiss()

    def _end_group(self) -> None:
        if not self.horse_pid:
            return
        try:
            os.killpg(self.horse_pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass

    def _ready_child(self) -> Child:
        """The child that waits; a new one, if there is none."""
        if self._child is not None and self._child.is_alive():
            return self._child
        self._dismiss()
        (ours, theirs), span = multiprocessing.Pipe(), time_limit.Span()
        parent = os.getpid()
        try:
            with self._forking():
                pid = os.fork()
                if pid == 0:
                    ours.close()
                    self._child, time_limit.span = None, span
                    self._live(theirs, parent)
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        try:
            os.setpgid(pid, pid)  # as the child does itself: whichever comes first
        except OSError:
            pass
        self._child = Child(pid, ours, span)
        return self._child

    def _dismiss(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.dismiss()


def _remembering(job_class: Any) -> Any:
    """RQ's class of jobs, which keeps what it was loaded from: for the child, who need not ask Redis again."""

    class Remembering(job_class):
        def restore(self, raw_data: Any) -> Any:
            self.entry = raw_data
            return super().restore(raw_data)

    return Remembering

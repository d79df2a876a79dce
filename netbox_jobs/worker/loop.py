"""The RQ worker that runs our jobs, in a child process for each or in one that lives on."""

import logging
import math
import os
import re
import signal
import time
from contextlib import AbstractContextManager, suppress
from multiprocessing.connection import Connection
from typing import Any

from django.db import Error as DBError
from django.db import connections
from redis.exceptions import RedisError
from rq import Worker as RQWorker
from rq.exceptions import StopRequested
from rq.worker import WorkerStatus

from ..core import identity
from ..execution import forks, time_limit
from ..execution.heartbeat import Lease
from .child import SHOW, ChildProcess
from .child_handle import Ended
from .dequeue import Delivery, Dequeue
from .intake import Intake
from .maintenance_thread import MaintenanceThread
from .preload import Preload
from .protocol import SharedPage
from .reconnecting import Reconnecting
from .records import Records
from .startup import begin
from .supervisor import Supervisor
from .watchdog import Watchdog

logger = logging.getLogger('netbox_jobs')

# A name that RQ has given, which is like no other.
_RQ_NAME = re.compile('[0-9a-f]{32}')
_SUSPENSION = 1.0  # seconds between two looks whether the workers are suspended


class Worker(Reconnecting, RQWorker):
    """A worker with a child process for each job. It runs jobs of other code, too, as RQ does."""

    _maintenance: MaintenanceThread | None = None
    _next_suspension = 0.0
    _commanded = False  # one of RQ's commands is being obeyed
    _told: str | None = None  # the state that Redis has
    _state: str
    _stopped_job_id: Any
    _horse_pid: int

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.supervisor, self.records, self.preload = Supervisor(self), Records(self), Preload()
        self.deliveries, self.intake = Dequeue(self), Intake(self)
        #: How many jobs it has run.
        self.completed = 0

    def jobs_per_child(self) -> int:
        """How many jobs a child runs before another takes its place."""
        return 1

    def work(self, *args: Any, max_jobs: int | None = None, **kwargs: Any) -> bool:
        """RQ's loop, with the maintenance thread beside it; see `rq.Worker.work()`."""
        lease = Lease(
            self.name if _RQ_NAME.fullmatch(self.name) else os.urandom(16).hex(),
            self.name,
            ','.join(self.queue_names()),
        )
        identity.adopt_token(lease.token, self.name)
        begin(lease)
        time_limit.show_on(SHOW)  # which its children inherit
        self.intake.max_jobs = max_jobs
        self._maintenance = MaintenanceThread(lease, self._at_work, self._stop_job)
        self._maintenance.start()
        try:
            return super().work(*args, **kwargs) or bool(self.completed)
        finally:
            self._maintenance.stop()
            _give_back(lease)

    def forking(self, patience: float = 5) -> AbstractContextManager[bool]:
        """Held around a fork; yields whether the maintenance thread is at nothing meanwhile, after so many seconds."""
        assert self._maintenance is not None
        return self._maintenance.between_duties(patience)

    def live(self, pipe: Connection, page: SharedPage) -> None:
        """In a child: run jobs; does not return."""
        parent = os.getppid()
        self.supervisor.forget()
        ChildProcess(self, pipe, page, parent, self.preload).live()

    def bootstrap(self, *args: Any, **kwargs: Any) -> None:
        """What RQ does first, and the first child."""
        super().bootstrap(*args, **kwargs)
        with suppress(OSError):  # no child could be forked; it is tried again when there is a job
            self.supervisor.ready()

    def teardown(self) -> None:
        """What RQ does last, and the end of the child."""
        self._state = WorkerStatus.BUSY  # a SIGTERM does not come between
        self.records.flush()
        self.supervisor.end()
        super().teardown()

    # The loop

    def dequeue_job_and_maintain_ttl(self, timeout: int | None, max_idle_time: int | None = None) -> Any:
        """Run our jobs until there is one of other code, which RQ's loop runs; None when the worker is to end."""
        idle_until = None if max_idle_time is None else time.monotonic() + max_idle_time
        pause = 1.0
        while True:
            self._check_end(burst=timeout is None)
            try:
                if found := self._take():
                    if foreign := self._run(found):
                        return foreign
                    idle_until = None if max_idle_time is None else time.monotonic() + max_idle_time
                    continue
                self._go_idle()
                if timeout is None or (idle_until is not None and time.monotonic() >= idle_until):
                    return None
                left = timeout if idle_until is None else min(timeout, math.ceil(idle_until - time.monotonic()))
                found, pause = self.deliveries.wait(left), 1.0
                self._state = WorkerStatus.BUSY
                if found and (foreign := self._run(found)):
                    return foreign
            except (RedisError, OSError) as error:
                if isinstance(error, RedisError):
                    self.log_redis_down(error)
                else:  # what was taken is in its queue again
                    logger.error('No child could be forked (%s); the worker tries again.', error)
                self._state = WorkerStatus.IDLE  # a SIGTERM ends the wait
                time.sleep(pause)
                pause = min(pause * 2, self.max_connection_wait_time)

    def _check_end(self, *, burst: bool) -> None:
        """What RQ's loop does before each job.

        Raises:
            StopRequested: The worker is to end.
        """
        if self._stop_requested:
            raise StopRequested
        if self.intake.max_jobs is not None and self.completed >= self.intake.max_jobs:
            self.log.info('Worker %s: finished executing %d jobs, quitting', self.name, self.completed)
            raise StopRequested
        self.heartbeat()
        if time.monotonic() >= self._next_suspension:
            self._next_suspension = time.monotonic() + _SUSPENSION
            self.records.flush()
            self.check_for_suspension(burst)
        if self.should_run_maintenance_tasks:
            self.run_maintenance_tasks()

    def _take(self) -> list[Delivery]:
        """The jobs of the next batch, out of the waiting ones."""
        self._state = WorkerStatus.BUSY  # a SIGTERM comes when they are run
        found = self.intake.take()
        if self._stop_requested:
            self.deliveries.put_back(found)
            raise StopRequested
        return found

    def log_taken(self, batch: list[Delivery]) -> None:
        """Say which jobs are about to be run."""
        for delivery in batch:
            self.log.info('Worker %s: %s: %s (%s)', self.name, delivery.queue.name, delivery.description, delivery.id)

    def _run(self, batch: list[Delivery]) -> tuple[Any, Any] | None:
        """Run a batch of ours; a job of other code is returned, with its queue."""
        first = batch[0]
        self.log_taken(batch)
        if first.job_id is None:
            self.records.flush()
            job = first.load(self)
            job.redis_server_version = self.get_redis_server_version()
            return job, first.queue
        try:
            self.supervisor.ready()
        except OSError:  # no child could be forked
            self.deliveries.put_back(batch)
            raise
        run: Any = self.supervisor.run if first.plain else self.supervisor.run_with_rq
        self.completed += run(batch, last=self.intake.ends_child(len(batch)))
        if not self._stop_requested:
            try:
                self.supervisor.ready()
            except OSError as error:  # it is tried again when there is a job
                logger.warning('No child could be forked (%s).', error)
        return None

    def _go_idle(self) -> None:
        self.records.flush()
        if self._told != WorkerStatus.IDLE:  # what Redis has
            self.set_state(WorkerStatus.IDLE)
            self.procline(f'Listening on {",".join(self.queue_names())}')
        self._state = WorkerStatus.IDLE

    def set_state(self, state: str, pipeline: Any = None) -> None:
        """RQ's state of the worker."""
        super().set_state(state, pipeline)
        self._told = None if self.redis_is_down else state

    def execute_job(self, job: Any, queue: Any) -> None:
        """Run a job of other code, as RQ does."""
        self.completed += 1
        try:
            super().execute_job(job, queue)
        except RedisError as error:
            self.log_redis_down(error)
            self._horse_pid = 0
        finally:
            self._stopped_job_id = None  # RQ forgets it only where the process was killed

    def fork_work_horse(self, job: Any, queue: Any) -> None:
        """RQ's fork, between two duties of the maintenance thread."""
        with self.forking():
            super().fork_work_horse(job, queue)

    def main_work_horse(self, job: Any, queue: Any) -> None:
        """In the process of a job of other code: it ends with its parent."""
        Watchdog(os.getppid()).start()
        super().main_work_horse(job, queue)

    def setup_work_horse_signals(self) -> None:
        """A signal to the whole group (systemd, Ctrl-C) is for the parent to decide on."""
        super().setup_work_horse_signals()
        forks.leave_to_parent()

    # While a job runs

    def look_for_stop(self) -> None:
        """Have the maintenance thread, if it runs, look at once whether the running job is to stop."""
        if self._maintenance is not None:
            self._maintenance.look_for_stop()

    def _at_work(self) -> tuple[int, str | None]:
        current = self.supervisor.current
        return self.supervisor.sent, current.job_id if current else None

    def get_current_job_id(self, *args: Any, **kwargs: Any) -> str | None:
        """RQ's id of the job that runs."""
        current = self.supervisor.current
        found: str | None = current.id if current else super().get_current_job_id(*args, **kwargs)
        return found

    # Stop. RQ's own way is to kill; a job of ours receives the request first.

    def handle_payload(self, message: Any) -> None:
        """RQ's commands. (In RQ's thread for them.)"""
        with self.supervisor.lock:
            self._commanded = True
            try:
                super().handle_payload(message)
            finally:
                self._commanded = False
            asked = self._stopped_job_id
        if asked is not None and self.supervisor.current is not None:
            self.supervisor.stop(str(asked))

    def kill_horse(self, sig: signal.Signals = signal.SIGKILL) -> None:
        """Kill the child. A job of ours that RQ is to stop receives a request first: `Supervisor.stop()`."""
        with self.supervisor.lock:
            if not self._horse_pid:
                return  # RQ would take our own process group for the child's
            if self._commanded and self._stopped_job_id is not None and self.supervisor.current is not None:
                return
            super().kill_horse(sig)

    def _stop_job(self, job_id: str) -> None:
        """Stop a job of which Redis has told nothing. (In the maintenance thread.)

        By its own id: it may have come by a delivery that is not the one it had last.
        """
        current = self.supervisor.current
        if current is not None and current.job_id == job_id and self._stopped_job_id is None:
            self.supervisor.stop(current.id)

    def wait_for_horse(self) -> Ended:
        """Pass the end that our supervisor has seen to RQ's monitor."""
        found: Ended = self.supervisor.ended or super().wait_for_horse()
        if self.supervisor.current is not None:
            self.supervisor.ended = found
        return found


def _give_back(lease: Lease) -> None:
    try:
        lease.close()
    except DBError as error:
        logger.warning('The lease of this worker could not be given back (%s); it expires.', error)
    finally:
        connections.close_all()

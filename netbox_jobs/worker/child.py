"""The process that runs jobs: a work horse, as RQ calls it, from its birth to its last trace."""

import contextvars
import gc
import importlib
import inspect
import logging
import os
import random
import signal
from datetime import datetime
from multiprocessing.connection import Connection
from typing import Any, NoReturn
from uuid import uuid4

from django.db import Error as DBError
from django.db import connections, reset_queries
from redis.exceptions import RedisError
from rq.executions import Execution
from rq.job import Job as RQJob
from rq.utils import now
from rq.worker import Worker as RQWorker

from ..broker.delivery import ENTRY
from ..core import guards, import_path, runs
from ..execution import time_limit
from ..lifecycle.claim import rehearse
from ..lifecycle.warm_up import warm_up as make_sql
from ..models import database
from .preload import Preload
from .reconnecting import LastingWorker
from .watchdog import Watch

logger = logging.getLogger('netbox_jobs')

#: By which a horse is told that its job is to be stopped.
STOP = signal.SIGUSR1
#: By which a horse that does not heed its time limit is told to show where it is, before it is killed.
SHOW = signal.SIGUSR2
#: Seconds between two looks of a horse that waits, whether its connection to the database still is one.
REST = 30.0

_TAKES_EXECUTION = 'execution' in inspect.signature(RQWorker.perform_job).parameters  # since RQ 3

#: What the parent tells the horse of a job: RQ's id of it, what Redis has of it, the queue, and whether it is the last
#: that it runs. While that runs, RQ's execution follows: its id, and its beginning.
Order = tuple[str, dict[Any, Any] | None, str, bool]
#: What the horse tells of the end of a job: whether it takes another; and when that was, if RQ's books are to be closed
#: by the parent, as all went well.
Answer = tuple[bool, datetime | None]


def warm_up() -> None:
    """In the parent: what each horse would else do for itself, and what would have it copy memory that it shares."""
    make_sql(database())
    importlib.import_module('netbox_jobs.jobs')  # what the module of every runner imports
    share_memory()


def share_memory() -> None:
    """In the parent: nothing that is there now is looked at by the collector in its children, who would copy it.

    Without collecting first, which takes a tenth of a second, and finds next to nothing after imports.
    """
    gc.freeze()


class HorseWorker(LastingWorker):
    """The half of a worker that lives in its child: it is told of jobs by a pipe, and runs one after the other."""

    _pipe: Connection | None = None  # to the parent
    _preload: Preload | None = None
    _stopped_job_id: Any
    _imported = 0  # how many modules had been imported for jobs when it was born
    _current: Any = None  # RQ's execution of the job
    _last = False
    _fit: bool | None = None  # whether it takes another job, once the parent has been told of the end of this one

    def _live(self, pipe: Connection, parent: int) -> NoReturn:
        """One job after the other, until the parent says farewell, or the last is done."""
        try:
            os.setpgid(0, 0)
            random.seed()
            self._is_horse, self._pipe, self._imported = True, pipe, len(import_path.imported)
            self._stopped_job_id = None  # the parent may be at the end of one that was stopped
            self.setup_work_horse_signals()
            _keep_connections()
            Watch(parent).start()
            _connect()
            if not pipe.poll():
                _rehearse()
            more = True
            while more:
                while not pipe.poll(REST):
                    _connect(again=True)
                try:
                    order: Order | None = pipe.recv()
                except EOFError:
                    break
                if order is None:
                    break
                # A context of its own, so that no context variable, language or time zone reaches the next job.
                more = contextvars.copy_context().run(self._perform, *order)
        except BaseException:
            logger.exception('The child of this worker ends.')
            logging.shutdown()
            os._exit(1)
        os._exit(0)

    def setup_work_horse_signals(self) -> None:
        """A SIGTERM to the whole group (systemd) is the parent's business; a function, as an ignored signal would be
        inherited by what `run()` starts."""
        super().setup_work_horse_signals()
        signal.signal(signal.SIGTERM, lambda *_: None)
        signal.signal(STOP, lambda *_: runs.stop_delivered_run())

    def _perform(self, job_id: str, entry: dict[Any, Any] | None, queue_name: str, last: bool) -> bool:
        """Run one job; returns whether another may come."""
        self._fit, self._last = None, last
        runs.expect_delivered_run()
        os.environ['RQ_WORKER_ID'], os.environ['RQ_JOB_ID'] = self.name, job_id
        job = self.job_class(job_id, connection=self.connection, serializer=self.serializer)
        if entry is None:
            job.refresh()
        else:
            job.restore(entry)  # the parent has asked Redis for it a moment ago
        queue = next((queue for queue in self.queues if queue.name == queue_name), None)
        if queue is None:  # RQ lets a job be pushed into another queue than its own
            queue = self.queue_class(
                queue_name, connection=self.connection, job_class=self.job_class, serializer=self.serializer
            )
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
        if last and self._preload is not None:
            self._preload.tell(import_path.imported[self._imported :])
        if self._fit is None:
            self._answer()
        if last:
            return False
        self._identify_execution()
        return bool(self._fit)

    # RQ's books: the parent opens them while the job begins. It also closes them, if all went well; what RQ does with
    # any other end is done here.

    def prepare_job_execution(self, job: RQJob, *args: Any, **kwargs: Any) -> None:
        """RQ's word of the beginning; in the child, for the job alone."""
        if not self.is_horse:
            super().prepare_job_execution(job, *args, **kwargs)
            return
        with self.connection.pipeline() as unsent:
            job.prepare_for_execution(self.name, pipeline=unsent)
        self.procline(f'Processing {job.func_name} from {job.origin} since {now():%Y-%m-%d %H:%M:%S}')

    def handle_execution_ended(self, job: RQJob, queue: Any, heartbeat_ttl: int) -> None:
        """The job has ended."""
        job.ended_at = now()
        if not _is_plain(job):
            self._identify_execution()
            super().handle_execution_ended(job, queue, heartbeat_ttl)

    def handle_job_success(self, job: RQJob, *args: Any, **kwargs: Any) -> None:
        """RQ's word of a good end."""
        if self.is_horse:
            plain = _is_plain(job)
            self._answer(job.ended_at if plain else None)
            if plain:
                return
        super().handle_job_success(job, *args, **kwargs)

    def handle_job_failure(self, job: RQJob, *args: Any, **kwargs: Any) -> None:
        """RQ's word of a bad end."""
        if self.is_horse:
            self._identify_execution()
            self._answer()
        super().handle_job_failure(job, *args, **kwargs)

    def _identify_execution(self) -> None:
        """RQ's execution of this job: the parent tells of it, unless it dies or gives up before it has begun one."""
        assert self._pipe is not None and self._current is not None
        if self._current.id:
            return
        try:
            told = self._pipe.recv()
        except (EOFError, OSError):
            told = None
        self._current.id, self._current.created_at = told or (uuid4().hex, self._current.created_at)

    def set_current_job_id(self, job_id: str | None, pipeline: Any = None) -> None:
        """RQ 2's record of what runs; of two jobs that follow each other, the end of one does not hide the other."""
        if job_id is not None or not self._has_next():
            super().set_current_job_id(job_id, pipeline)

    def _has_next(self) -> bool:
        """Whether the parent may be at the next job."""
        return self.is_horse and not self._last

    def _answer(self, ended_at: datetime | None = None) -> None:
        """Tell the parent that the job has ended, and whether another may come."""
        assert self._pipe is not None
        if self._fit is None:
            self._fit = not self._last and self._tidy_up()
            answer: Answer = (self._fit, ended_at)
            self._pipe.send(answer)

    def _tidy_up(self) -> bool:
        """After a job: leave nothing of it for the next one; False if this process had better end."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        self.setup_work_horse_signals()
        time_limit.show_on(SHOW)
        reset_queries()
        opened = [c for c in connections.all(initialized_only=True) if c.connection is not None]
        if any(c.in_atomic_block or not c.autocommit for c in opened):
            guards.reset_connections()
        try:
            # What a job has started, and not waited for, ends with it; so does this process.
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return True
        return False


def _keep_connections() -> None:
    """Have database connections live as long as this process, where the project does not say how long."""
    for alias in connections:
        if connections[alias].settings_dict['CONN_MAX_AGE'] == 0:
            connections[alias].settings_dict['CONN_MAX_AGE'] = None


def _is_plain(job: RQJob) -> bool:
    """Whether there is nothing about an RQ job but that it runs one of ours."""
    try:
        return job.func_name == ENTRY and not (job._success_callback_name or job._failure_callback_name)
    except Exception:  # RQ unpickles here, and may meet anything in a foreign job
        return False


def _rehearse() -> None:
    """While there is no job yet: have the session make ready what it needs for a claim."""
    try:
        rehearse(database())
    except DBError as error:
        logger.debug('The rehearsal failed (%s); the job finds out itself.', error)


def _connect(*, again: bool = False) -> None:
    """Connect to the database of the jobs while nothing else is to be done.

    Args:
        again: Whether this has been done before: what does not answer any more, or is too old, is replaced. As that
            is looked for with a statement, nothing on the way forgets a connection that is idle.
    """
    connection = connections[database()]
    try:
        if again and connection.connection is not None:
            connection.close_if_unusable_or_obsolete()
            if connection.connection is not None and not connection.is_usable():
                guards.reset_connections()
        connection.ensure_connection()
    except DBError as error:
        logger.info('The database does not answer yet (%s).', error)

"""The process that runs jobs: a work horse, as RQ calls it, from its birth to its last trace."""

import contextvars
import gc
import importlib
import inspect
import logging
import os
import random
import signal
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

from . import calls, context, deadlines, execution
from .lasting import LastingWorker
from .models import transitions
from .preload import Preload
from .watch import Watch

try:
    from redis.driver_info import DriverInfo
except ImportError:  # an older redis-py
    DriverInfo = None

logger = logging.getLogger('netbox_jobs')

#: By which a horse is told that its job is to be stopped.
STOP = signal.SIGUSR1
#: By which a horse that does not heed its time limit is told to show where it is, before it is killed.
SHOW = signal.SIGUSR2
#: Seconds between two looks of a horse that waits, whether its connection to the database still is one.
REST = 30.0

_TAKES_EXECUTION = 'execution' in inspect.signature(RQWorker.perform_job).parameters  # since RQ 3

# redis-py looks its own version up for each connection, which takes milliseconds, and tells the server in two round
# trips: once for each connection of a worker, but not for each child.
_NAMED, _NAMELESS = (DriverInfo(), DriverInfo('', '')) if DriverInfo is not None else (None, None)

#: What the parent tells the horse of a job: RQ's id of it, what Redis has of it, the queue, and whether it is the last
#: that it runs. While that runs, RQ's execution follows: its id, and its beginning.
Order = tuple[str, dict[Any, Any] | None, str, bool]


def warm_up(redis: Any) -> None:
    """In the parent: what each horse would else do for itself, and what would have it copy memory that it shares."""
    transitions.warm_up(transitions.database())
    if _NAMED is not None:
        redis.connection_pool.connection_kwargs.setdefault('driver_info', _NAMED)
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
    _imported = 0  # how many modules had been imported for jobs when it was born
    _current: Any = None  # RQ's execution of the job
    _last = _answered = _fit = False

    def _live(self, pipe: Connection) -> NoReturn:
        """One job after the other, until the parent says farewell, or the last is done."""
        try:
            os.setpgid(0, 0)
            random.seed()
            self._is_horse, self._pipe, self._imported = True, pipe, len(calls.imported)
            self.setup_work_horse_signals()
            _be_brief(self.connection)
            _keep_connections()
            Watch().start()
            _connect()
            if not pipe.poll():
                self._rehearse()
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

    def _rehearse(self) -> None:
        """While there is no job yet: have both servers make ready what they do for a connection's first words."""
        try:
            transitions.rehearse(transitions.database())
            self.connection.ping()
        except (DBError, RedisError) as error:
            logger.debug('A rehearsal failed (%s); the job finds out itself.', error)

    def setup_work_horse_signals(self) -> None:
        """A SIGTERM to the whole group (systemd) is the parent's business; a function, as an ignored signal would be
        inherited by what `run()` starts."""
        super().setup_work_horse_signals()
        signal.signal(signal.SIGTERM, lambda *_: None)
        signal.signal(STOP, lambda *_: context.stop_delivered_run())

    def _perform(self, job_id: str, entry: dict[Any, Any] | None, queue_name: str, last: bool) -> bool:
        """Run one job; returns whether another may come."""
        self._answered, self._last = False, last
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
        if last and self._preload is not None:
            self._preload.tell(calls.imported[self._imported :])
        return not last and self._answer()

    def handle_execution_ended(self, job: RQJob, queue: Any, heartbeat_ttl: int) -> None:
        """The job has ended. While this process writes that into RQ's books, the parent may look for the next one."""
        self._identify_execution()
        if job._success_callback_name or job._failure_callback_name:
            super().handle_execution_ended(job, queue, heartbeat_ttl)
            return
        job.ended_at = now()
        if not self._last:  # after which its end tells
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
        if job_id is not None or self._last or not self.is_horse:
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


def _be_brief(redis: Any) -> None:
    """Connect to Redis in as few words as possible."""
    options = redis.connection_pool.connection_kwargs
    if _NAMED is not None and options.get('driver_info') is _NAMED:
        options['driver_info'] = _NAMELESS


def _keep_connections() -> None:
    """Have database connections live as long as this process, where the project does not say how long."""
    for alias in connections:
        if connections[alias].settings_dict['CONN_MAX_AGE'] == 0:
            connections[alias].settings_dict['CONN_MAX_AGE'] = None


def _connect(*, again: bool = False) -> None:
    """Connect to the database of the jobs while nothing else is to be done.

    Args:
        again: Whether this has been done before: what does not answer any more, or is too old, is replaced. As that
            is looked for with a statement, nothing on the way forgets a connection that is idle.
    """
    connection = connections[transitions.database()]
    try:
        if again and connection.connection is not None:
            connection.close_if_unusable_or_obsolete()
            if connection.connection is not None and not connection.is_usable():
                connection.close()
        connection.ensure_connection()
    except DBError as error:
        logger.info('The database does not answer yet (%s).', error)

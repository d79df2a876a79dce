"""The RQ worker that runs our jobs: it accounts for every horse."""

import logging
import os
import re
import signal
import time
from contextlib import AbstractContextManager, suppress
from typing import Any

from django.core.exceptions import ValidationError
from django.db import Error as DBError
from django.db import connections
from redis.exceptions import RedisError
from rq.job import Job as RQJob

from ..core import identity, runner_options
from ..core.guards import PERSISTENCE
from ..execution import execution, time_limit
from ..execution.heartbeat import Lease
from ..execution.time_limit import GRACE, Span
from ..lifecycle.stop import mark_stopping
from ..maintenance import recovery
from ..maintenance.orphans import end_orphan
from ..models import Job, database
from . import child
from .child import SHOW, STOP
from .child_handle import Ended
from .maintenance_thread import Keeper
from .parent import PreforkWorker
from .preload import Preload

logger = logging.getLogger('netbox_jobs')

# A name that RQ has given, which is like no other.
_RQ_NAME = re.compile('[0-9a-f]{32}')
# What RQ is told of a process that ended with 0 in the middle of its job, which RQ takes for a good end.
_ENDED_UNASKED = 1 << 8


class Worker(PreforkWorker):
    """A worker with a process for each job. It may run foreign jobs of RQ as well; for ours it keeps the promises."""

    _keeper: Keeper | None = None
    _horse_result: Ended | None = None
    _last_wait: Ended = (None, None, None)
    _horse_began = 0.0
    _span: Span | None = None  # where the horse tells when the time limit of its job is over
    _stop_deadline: float | None = None  # on the monotonic clock; the horse's end was asked for
    _at_work: str | None = None  # RQ's id of the job that is run, or whose end is being seen to
    _commanded = False  # one of RQ's commands is being obeyed

    def work(self, *args: Any, **kwargs: Any) -> bool:
        """RQ's loop, with the keeper beside it; see `rq.Worker.work()`."""
        lease = Lease(
            self.name if _RQ_NAME.fullmatch(self.name) else os.urandom(16).hex(),
            self.name,
            ','.join(self.queue_names()),
        )
        identity.adopt_token(lease.token)
        lease.beat()
        recovery.deliver_due()
        child.warm_up()
        time_limit.show_on(SHOW)  # which its horses inherit
        connections.close_all()
        self._preload = Preload()
        self._keeper = Keeper(lease, lambda: (self._horses, self._at_work), self._end_job)
        self._keeper.start()
        try:
            return super().work(*args, **kwargs)
        finally:
            self._keeper.stop()
            self._give_back(lease)

    def _give_back(self, lease: Lease) -> None:
        try:
            lease.close()
        except DBError as error:
            logger.warning('The lease of this worker could not be given back (%s); it expires.', error)
        finally:
            connections.close_all()

    def _forking(self) -> AbstractContextManager[None]:
        assert self._keeper is not None
        return self._keeper.between_duties()

    # A job, from its delivery to its last trace

    def prepare_execution(self, job: RQJob) -> Any:
        """RQ's books are opened, and the child has the job; see `PreforkWorker`."""
        try:
            return super().prepare_execution(job)
        except SystemExit:  # a second SIGTERM
            self._abandon(job)
            raise

    def _expect(self, job: RQJob) -> None:
        """From now on, who asks for the end of this delivery is heard."""
        super()._expect(job)
        self._at_work = job.id
        self._stopped_job_id = self._stop_deadline = None

    def monitor_work_horse(self, job: RQJob, queue: Any, *execution_of_rq: Any) -> None:
        """Wait for the horse, settle the row at once when it has died, and then let RQ keep its books."""
        try:
            self._see_through(job, queue, execution_of_rq)
            super().monitor_work_horse(job, queue, *execution_of_rq)
        except RedisError as error:
            self._tell_lost(error)
            self._horse_pid = 0
        except SystemExit:  # a second SIGTERM
            self._abandon(job)
            raise
        finally:
            self._horse_result = self._delivery_id = self._at_work = None
            self._stopped_job_id = None  # RQ forgets it only where the horse was killed

    def _see_through(self, job: RQJob, queue: Any, execution_of_rq: tuple[Any, ...]) -> None:
        self._horse_result = pid, status, usage = self._await_horse(job, execution_of_rq)
        if self._take_books(job, queue, execution_of_rq[0] if execution_of_rq else self.execution):
            self._horse_result = pid, os.EX_OK, usage  # whatever has become of its process since
        elif status == os.EX_OK and not self._has_answered():
            self._horse_result = pid, _ENDED_UNASKED, usage
        self._bury()
        if self._horse_result[1] != os.EX_OK:
            self._settle(job, status)
        elif self._preload is not None and self._preload.follow():
            connections.close_all()  # what a module has asked at its import; no two processes share a session
            child.share_memory()
        if not self._stop_requested:
            try:
                self._ready_child()
            except OSError as error:  # it is tried again when there is a job
                logger.warning('No child could be forked (%s).', error)

    def _abandon(self, job: RQJob) -> None:
        """The worker ends at once: its horse has been killed and waited for."""
        for number in (signal.SIGTERM, signal.SIGINT):  # a third one must not come between
            signal.signal(number, signal.SIG_IGN)
        self._end_group()
        self._settle(job, (self._horse_result or self._last_wait)[1])

    def wait_for_horse(self) -> Ended:
        """RQ's monitor is told what ours has seen."""
        if self._horse_result is None:
            self._last_wait = super().wait_for_horse()
        return self._horse_result or self._last_wait

    def _await_horse(self, job: RQJob, execution_of_rq: tuple[Any, ...]) -> Ended:
        self._horse_began = time.monotonic()
        self._span = self._child.span if self._child is not None else None
        next_beat = self._horse_began + self.job_monitoring_interval
        while True:
            if ended := self._look_for_end(0.25):
                return ended
            moment = time.monotonic()
            # The horse is told by its own clock first; this is for one that does not heed it, or cannot.
            if self._has_overrun(job, moment):
                self._show_horse()
                self.kill_horse()
            if self._stop_deadline is not None and moment > self._stop_deadline:
                self.kill_horse()
            if moment >= next_beat:
                next_beat = moment + self.job_monitoring_interval
                self._beat_in_redis(job, execution_of_rq)

    def _has_overrun(self, job: RQJob, moment: float) -> bool:
        """Whether the horse is to be ended: the limit counts for `run()`, not for our own claim, imports and writes.

        Those have as long as we try to write an outcome while the database is away.
        """
        if not job.timeout or job.timeout < 0:
            return False
        told = self._told()
        if told > 0:
            return moment > told + GRACE
        usual = self._horse_began + job.timeout + GRACE
        if moment <= usual:
            return False
        if told < 0:
            return moment > -told + PERSISTENCE + GRACE
        return moment > usual + PERSISTENCE or _our_job_id(job) is None

    def _told(self) -> float:
        return self._span.read() if self._span is not None else 0.0

    # Who asks for the end of a job hits that job: which one runs is looked at, and its horse told, in one step, during
    # which no job ends or begins. The database is asked before that, as it may be slow.

    def handle_payload(self, message: Any) -> None:
        """RQ's commands. (In RQ's thread for them.)"""
        with self._handover:
            self._commanded = True
            try:
                super().handle_payload(message)
            finally:
                self._commanded = False
        self._carry_out_stop()

    def kill_horse(self, sig: signal.Signals = signal.SIGKILL) -> None:
        """End the horse. Where RQ's command to stop its job wants that, it is told first; see `_carry_out_stop()`."""
        with self._handover:
            if not self._horse_pid:
                return  # RQ would take our own process group for the horse's
            if self._commanded and self._stopped_job_id is not None and self._stop_deadline is None:
                return
            super().kill_horse(sig)

    def _end_job(self, job_id: str) -> None:
        """The end of a job was asked for, and Redis did not say so. (In the keeper's thread.)

        By its own id: it may have come by a delivery that is not the one it had last.
        """
        with self._handover:
            delivery_id = self._delivery_id
            if delivery_id is None or delivery_id[:36] != job_id or self._stopped_job_id is not None:
                return
            self._stopped_job_id = delivery_id
        self._carry_out_stop()

    def _carry_out_stop(self) -> None:
        """Tell the horse of the job whose end was asked for, and leave it the grace of its runner."""
        asked = self._stopped_job_id
        if asked is None or self._stop_deadline is not None:
            return
        grace = _begin_stop(str(asked))
        with self._handover:
            if self._stopped_job_id != asked or self._stop_deadline is not None:
                return
            if self._delivery_id != asked or not self._horse_pid:
                self._stopped_job_id = None  # the job is over; the request hits no other
                return
            self._stop_deadline = time.monotonic() + grace
            if grace > 0:
                with suppress(ProcessLookupError):
                    os.kill(self._horse_pid, STOP)
            else:
                self.kill_horse()

    def _show_horse(self) -> None:
        try:
            os.kill(self.horse_pid, SHOW)
            time.sleep(0.1)
        except ProcessLookupError:
            pass

    def _beat_in_redis(self, job: RQJob, execution_of_rq: tuple[Any, ...]) -> None:
        try:
            self.maintain_heartbeats(job, *execution_of_rq)
        except RedisError as error:
            self._tell_lost(error)

    def _settle(self, job: RQJob, status: int | None) -> None:
        """The horse has died: end its job on its behalf, naming the cause."""
        job_id = _our_job_id(job)
        if job_id is None:
            return
        if status is not None and os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            cause = f'Its process was killed by signal {number} ({signal.Signals(number).name}).'
        elif status is not None:
            cause = f'Its process ended with exit code {os.waitstatus_to_exitcode(status)} before the job did.'
        else:
            cause = 'Its process is gone.'
        limit, told, moment = job.timeout or 0, self._told(), time.monotonic()
        overran = moment >= told if told > 0 else told == 0 and 0 < limit <= moment - self._horse_began
        if overran:
            cause = f'It exceeded its time limit of {limit} seconds and did not heed it. {cause}'
        try:
            using = database()
            found = Job.objects.using(using).filter(job_id=job_id, worker=identity.process_token()).first()
            if found is not None:
                logger.warning('Job %s (%s): %s', found.pk, found.name, cause)
                run = execution.Execution(found)
                run.persist(lambda: end_orphan(found, cause, may_retry=not overran))
        except DBError as error:
            logger.error('The end of job %s could not be recorded (%s); recovery will see to it.', job_id, error)
        finally:
            connections.close_all()


def _our_job_id(job: RQJob) -> str | None:
    """The id of our row that an RQ job carries; None for a foreign one."""
    try:
        return str(job.args[0]) if job.func_name == 'netbox_jobs.execution.perform' else None
    except Exception:  # RQ unpickles here, and may meet anything in a foreign job
        return None


def _begin_stop(delivery_id: str) -> float:
    """Seconds that the job of this delivery of RQ has for an orderly end. (In RQ's thread for commands.)"""
    try:
        rows = Job.objects.using(database()).filter(job_id=delivery_id[:36]).running()
        mark_stopping(rows)  # already marked, unless it was RQ's own command that was used
        path = rows.values_list('runner', flat=True).first()
        return runner_options.stop_grace(path) if path else 0.0
    except (DBError, ValueError, ValidationError):  # a foreign job, or the database is away
        return 0.0
    finally:
        connections.close_all()

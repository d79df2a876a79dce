"""The RQ worker that runs our jobs: it accounts for every horse."""

import logging
import os
import select
import signal
import time
from contextlib import AbstractContextManager
from typing import Any

from django.core.exceptions import ValidationError
from django.db import Error as DBError
from django.db import connections
from redis.exceptions import RedisError
from rq.job import Job as RQJob
from rq.utils import now

from . import calls, context, deadlines, execution, horses, metas, recovery
from .deadlines import GRACE
from .keeper import Keeper
from .lasting import LastingWorker
from .leases import Lease
from .models import Job, transitions
from .preload import Preload

logger = logging.getLogger('netbox_jobs')

#: By which a horse is told that its job is to be stopped.
_STOP = signal.SIGUSR1
#: By which a horse that does not heed its time limit is told to show where it is, before it is killed.
SHOW = signal.SIGUSR2


class Worker(LastingWorker):
    """A forking worker. It may run foreign jobs of RQ as well; for ours it keeps the promises."""

    _keeper: Keeper | None = None
    _preload: Preload | None = None
    _opening: horses.Opening | None = None  # in a horse
    _horse_result: tuple[int | None, int | None, Any] | None = None
    _last_wait: tuple[int | None, int | None, Any] = (None, None, None)
    _horse_began = 0.0
    _delivery_id: str | None = None  # RQ's id of what the horse runs
    _horses = 0  # how many have begun a job
    _descriptor: int | None = None  # of the horse, as the system tells of its end
    _stop_deadline: float | None = None  # on the monotonic clock; the horse's end was asked for
    _stopped_job_id: Any

    def work(self, *args: Any, **kwargs: Any) -> bool:
        """RQ's loop, with the keeper beside it; see `rq.Worker.work()`."""
        lease = Lease(
            self.name if len(self.name) == 32 else os.urandom(16).hex(), self.name, ','.join(self.queue_names())
        )
        context.adopt_token(lease.token)
        lease.beat()
        recovery.deliver_due()
        horses.warm_up(self.connection)
        deadlines.show_on(SHOW)  # which its horses inherit
        connections.close_all()
        self._preload = Preload()
        self._keeper = Keeper(lease, lambda: None if self.horse_pid else self._horses, self._end_job)
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

    # A horse, from its birth to its last trace

    def fork_work_horse(self, job: RQJob, queue: Any) -> None:
        """Fork while the keeper is between two duties."""
        with self._forking():
            self._horses += 1
            self._expect(job)
            super().fork_work_horse(job, queue)

    def _expect(self, job: RQJob) -> None:
        """From now on, who asks for the end of this delivery is heard."""
        self._delivery_id, self._stopped_job_id, self._stop_deadline = job.id, None, None

    def monitor_work_horse(self, job: RQJob, queue: Any, *execution_of_rq: Any) -> None:
        """Wait for the horse, settle the row at once when it has died, and then let RQ keep its books."""
        try:
            self._horse_result = self._await_horse(job, execution_of_rq)
        except SystemExit:  # a second SIGTERM
            self._abandon(job)
            raise
        status = self._horse_result[1]
        self._bury(status)
        if status != os.EX_OK:
            self._settle(job, status)
        elif self._preload is not None and self._preload.follow():
            connections.close_all()  # what a module has asked at its import; no two processes share a session
            horses.share_memory()
        try:
            super().monitor_work_horse(job, queue, *execution_of_rq)
        except RedisError as error:
            self._tell_lost(error)
            self._horse_pid = 0
        finally:
            self._horse_result = self._delivery_id = None
            self._stopped_job_id = None  # RQ forgets it only where the horse was killed

    def _abandon(self, job: RQJob) -> None:
        """The worker ends at once: its horse has been killed and waited for."""
        for number in (signal.SIGTERM, signal.SIGINT):  # a third one must not come between
            signal.signal(number, signal.SIG_IGN)
        self._end_group()
        self._settle(job, self._last_wait[1])

    def wait_for_horse(self) -> tuple[int | None, int | None, Any]:
        """RQ's monitor is told what ours has seen."""
        if self._horse_result is None:
            self._last_wait = super().wait_for_horse()
        return self._horse_result or self._last_wait

    def _await_horse(self, job: RQJob, execution_of_rq: tuple[Any, ...]) -> tuple[int | None, int | None, Any]:
        pid = self.horse_pid
        self._horse_began = time.monotonic()
        limit = job.timeout if job.timeout and job.timeout > 0 else None
        next_beat = self._horse_began + self.job_monitoring_interval
        job.started_at = job.started_at or now()
        self._descriptor = os.pidfd_open(pid) if hasattr(os, 'pidfd_open') else None
        try:
            while True:
                if ended := self._look_for_end(pid, 0.25):
                    return ended
                moment = time.monotonic()
                # The horse is told by its own clock first; this is for one that does not heed it, or cannot.
                if limit is not None and moment - self._horse_began > limit + GRACE:
                    self._show_horse()
                    self.kill_horse()
                if self._stop_deadline is not None and moment > self._stop_deadline:
                    self.kill_horse()
                if moment >= next_beat:
                    next_beat = moment + self.job_monitoring_interval
                    self._beat_in_redis(job, execution_of_rq)
        finally:
            if self._descriptor is not None:
                os.close(self._descriptor)

    def _look_for_end(self, pid: int, seconds: float) -> tuple[int | None, int | None, Any] | None:
        """Wait so long for the end of the horse, and return what `os.wait4()` has to say; None if it goes on."""
        if self._descriptor is None:
            time.sleep(0.02)
        else:
            select.select([self._descriptor], [], [], seconds)
        return self._wait4(pid)

    def _wait4(self, pid: int) -> tuple[int | None, int | None, Any] | None:
        try:
            found = os.wait4(pid, os.WNOHANG)
        except ChildProcessError:
            return None, None, None
        return found if found[0] else None

    def kill_horse(self, sig: signal.Signals = signal.SIGKILL) -> None:
        """End the horse; at the request to stop its job, tell it first, and leave it the grace of its runner."""
        if not self._horse_pid:
            return  # RQ would take our own process group for the horse's
        if self._stopped_job_id is not None and self._stopped_job_id != self._delivery_id:
            self._stopped_job_id = None  # a job that is over; the request hits no other
            return
        if self._stopped_job_id is not None and self._stop_deadline is None:
            self._stop_deadline = time.monotonic() + _begin_stop(str(self._stopped_job_id))
            if self._stop_deadline > time.monotonic():
                os.kill(self._horse_pid, _STOP)
                return
        super().kill_horse(sig)

    def _end_job(self, job_id: str) -> None:
        """The end of a job was asked for, and Redis did not say so. (In the keeper's thread.)

        By its own id: it may have come by a delivery that is not the one it had last.
        """
        delivery_id = self._delivery_id
        if delivery_id is not None and delivery_id[:36] == job_id and self._stopped_job_id is None:
            self._stopped_job_id = delivery_id
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

    def _bury(self, status: int | None) -> None:
        """The horse has ended."""
        self._end_group()

    def _end_group(self) -> None:
        """What the horse has spawned and left behind ends with it."""
        if not self.horse_pid:
            return
        try:
            os.killpg(self.horse_pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass

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
        limit = job.timeout
        overran = bool(limit and 0 < limit <= time.monotonic() - self._horse_began)
        if overran:
            cause = f'It exceeded its time limit of {limit} seconds and did not heed it. {cause}'
        try:
            using = transitions.database()
            found = Job.objects.using(using).filter(job_id=job_id, worker=context.process_token()).first()
            if found is not None:
                logger.warning('Job %s (%s): %s', found.pk, found.name, cause)
                run = execution.Execution(found)
                run.persist(lambda: recovery.end_orphan(found, cause, may_retry=not overran))
        except DBError as error:
            logger.error('The end of job %s could not be recorded (%s); recovery will see to it.', job_id, error)
        finally:
            connections.close_all()

    # The horse itself

    def setup_work_horse_signals(self) -> None:
        """A SIGTERM to the whole group (systemd) is the parent's business; a function, as an ignored signal would be
        inherited by what `run()` starts."""
        super().setup_work_horse_signals()
        signal.signal(signal.SIGTERM, lambda *_: None)
        signal.signal(_STOP, lambda *_: context.stop_delivered_run())

    def main_work_horse(self, job: RQJob, queue: Any) -> None:
        """The child's life; it outlives neither its parent nor its claim."""
        horses.be_brief(self.connection)
        if _our_job_id(job) is not None and horses.Opening.pays(transitions.database()):
            self._opening = horses.Opening(transitions.database())
        horses.Watch(self._opening.open if self._opening is not None else None).start()
        super().main_work_horse(job, queue)

    def prepare_job_execution(self, job: RQJob, *args: Any, **kwargs: Any) -> None:
        """RQ's books are opened; meanwhile the database has been connected to."""
        super().prepare_job_execution(job, *args, **kwargs)
        if self._opening is not None:
            self._opening.take()
            self._opening = None

    def perform_job(self, job: RQJob, queue: Any, *execution_of_rq: Any) -> bool:
        """RQ's run of one job; tells the parent afterwards what had to be imported for it."""
        known = len(calls.imported)
        done: bool = super().perform_job(job, queue, *execution_of_rq)
        if self._preload is not None:
            self._preload.tell(calls.imported[known:])
        return done


def _our_job_id(job: RQJob) -> str | None:
    """The id of our row that an RQ job carries; None for a foreign one."""
    try:
        return str(job.args[0]) if job.func_name == 'netbox_jobs.execution.perform' else None
    except Exception:  # RQ unpickles here, and may meet anything in a foreign job
        return None


def _begin_stop(delivery_id: str) -> float:
    """Seconds that the job of this delivery of RQ has for an orderly end. (In RQ's thread for commands.)"""
    try:
        rows = Job.objects.using(transitions.database()).filter(job_id=delivery_id[:36]).running()
        transitions.mark_stopping(rows)  # already marked, unless it was RQ's own command that was used
        path = rows.values_list('runner', flat=True).first()
        return metas.stop_grace(path) if path else 0.0
    except (DBError, ValueError, ValidationError):  # a foreign job, or the database is away
        return 0.0
    finally:
        connections.close_all()

"""The parent's side of a batch: it sends deliveries to a child, watches, and accounts for each, whatever dies."""

import logging
import signal
import threading
import time
from typing import Any

from django.db import connections
from redis.exceptions import RedisError
from rq.utils import now
from rq.worker import Worker as RQWorker

from . import reap
from .batches import BatchSize
from .child import SHOW, STOP
from .child_handle import ChildHandle, Ended
from .dequeue import Delivery
from .preload import share_memory
from .protocol import Batch, RunWithRQ
from .records import TAKES_EXECUTION, moment

logger = logging.getLogger('netbox_jobs')

#: Seconds after which a job is a long one: RQ records that it runs, and the jobs behind it go back to their queue.
LONG = 0.05
#: Seconds between two looks at a child: while its job may become a long one, while it is one, and while jobs wait
#: behind it that queues which come first may push aside.
_SOON, _LOOK, _AHEAD = 0.05, 0.25, 0.02
# What RQ receives for a process that ended with 0 in the middle of its job, which RQ takes for success.
_ENDED_UNASKED = 1 << 8


class Supervisor:
    """The child process of one worker, and the batch that it has."""

    def __init__(self, worker: Any) -> None:
        self._worker = worker
        self.child: ChildHandle | None = None
        #: Held while a batch is handed over or comes to its end, and while a stop looks which job is running: so that
        #: it never hits another one. (A signal handler of the same thread may want it.)
        self.lock = threading.RLock()
        self.size = BatchSize()
        #: How many jobs have been sent to children.
        self.sent = 0
        #: How the child has ended, while RQ's own code records that.
        self.ended: Ended | None = None
        self._batch: list[Delivery] = []
        self._kept = 0  # how many of them have not been taken back
        self._noted = 0  # the ends of how many have been noted
        self._long = -1  # the position of the long job
        self._handed_over = 0.0
        self._over = True  # no job is stopped any more
        self._stopping: tuple[int, float] | None = None  # which job is to stop, and when it is killed

    @property
    def current(self) -> Delivery | None:
        """What the child runs, or was running when it died; None between two batches."""
        batch = self._batch
        return batch[min(self._position, len(batch) - 1)] if batch else None

    @property
    def _position(self) -> int:
        """The place of that in the batch; a child that has not begun is at the first."""
        return max(self.child.page.position, 0) if self.child is not None else 0

    @property
    def _began(self) -> float:
        """When that began."""
        return (self.child.page.times(self._position)[0] if self.child is not None else 0.0) or self._handed_over

    @property
    def _limit(self) -> int:
        """Its time limit, in seconds; 0 or less for none."""
        current = self.current
        return int((current and current.entry.get(b'timeout')) or 0)

    def run(self, batch: list[Delivery], *, last: bool) -> int:
        """Have the child run these; returns how many it has begun. The others are in their queue again.

        Args:
            batch: Jobs of ours.
            last: Whether the child ends after them.
        """
        self._hand_over(batch, Batch(tuple((delivery.id, delivery.job_id or '') for delivery in batch), last))
        return self._finish()

    def run_with_rq(self, batch: list[Delivery], *, last: bool) -> int:
        """Have the child run the one job of this batch by RQ's own code."""
        (delivery,) = batch
        _job, execution = self._worker.records.opened(delivery, now())
        message = (delivery.id, delivery.entry, delivery.queue.name, execution.id, execution.created_at)
        self._hand_over(batch, RunWithRQ(*message, last))
        self._long = 0
        return self._finish(by_rq=True)

    def _hand_over(self, batch: list[Delivery], message: Batch | RunWithRQ) -> None:
        child = self.ready()
        with self.lock:
            child.page.reset(len(batch))
            child.jobs += len(batch)
            child.last, child.done = message.last, None
            child.failures.clear()
            self.sent += len(batch)
            self._batch, self._kept, self._noted, self._long = batch, len(batch), 0, -1
            self._over, self._stopping, self._handed_over = False, None, time.monotonic()
            self._worker._stopped_job_id, self._worker._horse_pid = None, child.pid
        child.send(message)
        self._worker.records.flush_if_due()

    def _finish(self, *, by_rq: bool = False) -> int:
        """Wait for the end of the batch, and account for each of its jobs."""
        child = self.child
        assert child is not None
        try:
            ended = self._watch(child)
            with self.lock:
                self._over = True
                if child.takes_more:
                    self._worker._horse_pid = 0
            if by_rq:
                self._worker.records.forget()
            begun = self._account(child, ended, by_rq=by_rq)
            self._leave_to_others(child, begun)
        except SystemExit:  # a second SIGTERM: the worker ends at once; the child has been killed and waited for
            for number in (signal.SIGTERM, signal.SIGINT):  # a third one must not come between
                signal.signal(number, signal.SIG_IGN)
            self._over = True
            child.kill()
            self._settle(child, (self.ended or (None, None, None))[1])
            self._leave_to_others(child, self._position + 1)
            raise
        finally:
            self._batch, self.ended = [], None
            self._worker._horse_pid, self._worker._stopped_job_id = 0, None
        return begun

    def _watch(self, child: ChildHandle) -> Ended:
        waits_before = self._worker.deliveries.waits_before
        while True:
            behind = self._kept - 1 > child.page.position
            pause = _AHEAD if behind else _LOOK if self._long == self._position else _SOON
            if (ended := child.look(pause)) is not None:
                return ended
            position, moment_ = self._position, time.monotonic()
            if self._long != position and moment_ - self._began >= LONG and child.page.position == position:
                self._meet_long_job(child, position)
            elif behind and (self._worker._stop_requested or waits_before(self._batch[0].queue)):
                self._take_back(child)
            if self._stopping is not None and self._stopping[0] == position and moment_ > self._stopping[1]:
                self._kill(child, position)
            if reap.has_overrun(self._limit, self._began, child.page.read(), moment_):
                child.signal(SHOW)
                time.sleep(0.1)
                self._kill(child, position)
            self._worker.records.heartbeat()

    def _meet_long_job(self, child: ChildHandle, position: int) -> None:
        """The job at this position takes a while: what waits behind it goes back, and RQ records that it runs."""
        self._take_back(child)
        self._note_ends(child)
        if self._noted > position:  # it has ended in this moment
            return
        self._long = position
        self._worker.records.flush()
        self._worker.records.open(self._batch[position], moment(self._began))
        self._worker.look_for_stop()  # one that came before RQ knew whom to tell

    def _take_back(self, child: ChildHandle) -> None:
        """Put back in their queue the jobs that the child has not begun."""
        child.page.limit = child.page.position + 1
        keep = max(self._position, child.page.claiming) + 1  # it may have gone one step further
        back, self._kept = self._batch[keep : self._kept], min(keep, self._kept)
        self._worker.deliveries.put_back(back)

    # The end

    def _account(self, child: ChildHandle, ended: Ended, *, by_rq: bool) -> int:
        """Account for the jobs of the batch; returns how many were begun."""
        if by_rq:
            self._noted = int(child.done is not None)
        self._note_ends(child)
        begun = child.done.begun if child.done is not None else self._position + 1
        child.jobs -= len(self._batch) - begun
        self.size.learn(begun, time.monotonic() - self._handed_over)
        if child.done is None:
            child.kill()
            status = ended[1] or _ENDED_UNASKED
            self._settle(child, ended[1])
            if self._noted < begun:
                self._record_death((ended[0], status, ended[2]))
            child.close()
            self.child = None
        elif child.last:
            child.kill()  # with what its job has left behind
            child.close()
            self.child = None
            if self._worker.preload.follow():
                connections.close_all()  # what a module has asked at its import; no two processes share a session
                share_memory()
        elif not child.done.more:
            self.dismiss()
        return begun

    def _leave_to_others(self, child: ChildHandle, begun: int) -> None:
        """Put back in their queue the jobs that were not begun; a child that has died may have claimed the first."""
        if child.done is None:
            for delivery in self._batch[begun : begun + 1]:
                reap.requeue_claimed(delivery.job_id or '')
        self._worker.deliveries.put_back(self._batch[begun : self._kept])

    def _note_ends(self, child: ChildHandle) -> None:
        """Have RQ's records take note of the jobs that have ended since."""
        records = self._worker.records
        while self._noted < max(self._kept, child.done.begun if child.done is not None else 0):
            began, ended = child.page.times(self._noted)
            if not ended:
                return
            delivery, times = self._batch[self._noted], (moment(began), moment(abs(ended)))
            if ended > 0:
                records.add(delivery, *times)
            elif self._noted in child.failures:
                records.fail(delivery, *times, child.failures[self._noted])
            else:
                return  # what it failed with is on its way
            self._noted += 1

    def _settle(self, child: ChildHandle, status: int | None) -> None:
        """The child has died: end the job that it was running."""
        current, told, moment_ = self.current, child.page.read(), time.monotonic()
        if current is None or current.job_id is None:
            return
        overran = moment_ >= told if told > 0 else told == 0 and 0 < self._limit <= moment_ - self._began
        reap.settle(current.job_id, status, limit=self._limit, overran=overran)

    def _record_death(self, ended: Ended) -> None:
        """Have RQ record the death of the child by its own code."""
        current = self.current
        assert current is not None
        job, execution = self._worker.records.opened(current, moment(self._began))
        self.ended = ended
        try:
            RQWorker.monitor_work_horse(self._worker, job, current.queue, *([execution] if TAKES_EXECUTION else []))
        except RedisError as error:
            self._worker.log_redis_down(error)
        finally:
            self._worker.records.forget()

    # A request for the end of a job hits that job. The database is asked before that: it may be slow.

    def stop(self, delivery_id: str) -> None:
        """Stop the job of this delivery, if it is running, and leave it the grace of its runner. (In any thread.)"""
        grace = reap.begin_stop(delivery_id)
        with self.lock:
            child, current = self.child, self.current
            if self._over or child is None or current is None or current.id != delivery_id:
                if self._worker._stopped_job_id == delivery_id:
                    self._worker._stopped_job_id = None  # the job is over; the request hits no other
                return
            if self._stopping is not None:
                return
            position = self._position
            self._stopping = position, time.monotonic() + grace
            self._worker._stopped_job_id = delivery_id
            child.page.limit = min(child.page.limit, position + 1)
            if grace > 0:
                child.page.stop = position
                child.signal(STOP)
            else:
                self._kill(child, position)

    def _kill(self, child: ChildHandle, position: int) -> None:
        """Kill the child, if it still is at the job at this position."""
        child.suspend()
        if self._position == position and not child.page.times(position)[1]:
            child.kill()
        else:
            child.signal(signal.SIGCONT)

    # The child

    def ready(self) -> ChildHandle:
        """The child that waits; a new one, if there is none.

        Raises:
            OSError: The system has no room for another process.
        """
        if self.child is not None and self.child.is_alive():
            return self.child
        self.dismiss()
        with self._worker.forking():
            self.child = ChildHandle.fork(self._worker.live)
        return self.child

    def dismiss(self) -> None:
        """End the child that waits, if there is one."""
        child, self.child = self.child, None
        if child is not None:
            child.dismiss()

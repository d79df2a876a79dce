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
from .assignment import Assignment
from .batches import WORK, BatchSize
from .child import SHOW, STOP
from .child_handle import ChildHandle, Ended
from .dequeue import Delivery
from .preload import share_memory
from .protocol import Batch, RunWithRQ
from .records import TAKES_EXECUTION, moment

logger = logging.getLogger('netbox_jobs')

#: Seconds for which the next child waits beside one that is at its job.
SPARED = 2.0
#: Seconds between two looks at a child at most: while jobs wait behind the one that it is at, and at a long one.
_SOON, _LOOK = 0.1, 0.25
# What RQ receives for a process that ended with 0 in the middle of its job, which RQ takes for success.
_ENDED_UNASKED = 1 << 8


class Supervisor:
    """The child process of one worker, and the batch that it has."""

    def __init__(self, worker: Any) -> None:
        self._worker = worker
        self.child: ChildHandle | None = None
        self._spare: ChildHandle | None = None  # takes its place when it has ended
        #: Held while a batch is handed over or comes to its end, and while a stop looks which job is running: so that
        #: it never hits another one. (A signal handler of the same thread may want it.)
        self.lock = threading.RLock()
        self.size = BatchSize()
        #: How many jobs have been sent to children.
        self.sent = 0
        #: How the child has ended, while RQ's own code records that.
        self.ended: Ended | None = None
        self._assignment: Assignment | None = None
        self._over = True  # no job is stopped any more
        self._stopping: tuple[int, float] | None = None  # which job is to stop, and when it is killed

    @property
    def current(self) -> Delivery | None:
        """What the child runs, or was running when it died; None between two batches."""
        assignment = self._assignment  # another thread than the one that asks ends it
        return assignment.current if assignment is not None else None

    @property
    def assigned(self) -> int:
        """How many jobs the child has been sent that have not been accounted for."""
        return len(self._assignment.deliveries) if self._assignment is not None else 0

    def run(self, batch: list[Delivery], *, last: bool) -> int:
        """Have the child run these; returns how many it has begun. The others are in their queue again.

        Args:
            batch: Jobs of ours.
            last: Whether the child ends after them.
        """
        self._hand_over(list(batch), Batch(tuple((delivery.id, delivery.job_id or '') for delivery in batch), last))
        return self._finish()

    def run_with_rq(self, batch: list[Delivery], *, last: bool) -> int:
        """Have the child run the one job of this batch by RQ's own code."""
        (delivery,) = batch
        _job, execution = self._worker.records.opened(delivery, now())
        message = (delivery.id, delivery.entry, delivery.queue.name, execution.id, execution.created_at)
        self._hand_over(batch, RunWithRQ(*message, last))
        assert self._assignment is not None
        self._assignment.long = 0
        return self._finish(by_rq=True)

    def _hand_over(self, batch: list[Delivery], message: Batch | RunWithRQ) -> None:
        child = self.ready()
        with self.lock:
            self._assignment = Assignment(self._worker, child, batch, last=message.last)
            self.sent += len(batch)
            self._over, self._stopping = False, None
            self._worker._stopped_job_id, self._worker._horse_pid = None, child.pid
        child.send(message)
        if message.last and self.size.is_known_short and self._worker.intake.has_more:
            self._bring_spare()
        self._worker.records.flush_if_due()

    def _finish(self, *, by_rq: bool = False) -> int:
        """Wait for the end of the batch, and account for each of its jobs."""
        child, assignment = self.child, self._assignment
        assert child is not None and assignment is not None
        try:
            ended = self._watch(child, assignment)
            with self.lock:
                self._over = True
                if child.takes_more:
                    self._worker._horse_pid = 0
            if by_rq:
                self._worker.records.forget()
            begun = self._account(child, assignment, ended, by_rq=by_rq)
            assignment.leave_to_others(begun)
        except SystemExit:  # a second SIGTERM: the worker ends at once; the child has been killed and waited for
            for number in (signal.SIGTERM, signal.SIGINT):  # a third one must not come between
                signal.signal(number, signal.SIG_IGN)
            self._over = True
            child.kill()
            assignment.settle((self.ended or (None, None, None))[1])
            assignment.leave_to_others(assignment.position + 1)
            raise
        finally:
            self._assignment, self.ended = None, None
            self._worker._horse_pid, self._worker._stopped_job_id = 0, None
        return begun

    def _watch(self, child: ChildHandle, assignment: Assignment) -> Ended:
        while True:
            behind, grows = assignment.behind > 0, assignment.room > 0 and self._worker.deliveries.waiting > 0
            # What is behind the job may be pushed aside, or become more; and it may become a long one.
            pause = _LOOK if assignment.long == assignment.position else self.size.long
            if behind or grows:
                pause = min(self.size.long * 0.4, _SOON)
            if (ended := child.look(pause)) is not None:
                return ended
            position, moment_ = assignment.position, time.monotonic()
            began, limit = assignment.began, assignment.limit
            if assignment.long != position and moment_ - began >= self.size.long and child.page.position == position:
                self._meet_long_job(assignment, position)
            elif behind and (self._worker._stop_requested or self._is_pushed_aside(assignment)):
                assignment.take_back()
            elif grows:
                self._extend(assignment)
            if self._stopping is not None and self._stopping[0] == position and moment_ > self._stopping[1]:
                self._kill(child, assignment, position)
            if reap.has_overrun(limit, began, child.page.read(), moment_):
                child.signal(SHOW)
                time.sleep(0.1)
                self._kill(child, assignment, position)
            if self._spare is not None and assignment.age > SPARED:
                self._end_spare()
            self._worker.records.heartbeat()

    def _is_pushed_aside(self, assignment: Assignment) -> bool:
        """Whether jobs that should have been over by now hold up a queue that comes first."""
        return assignment.age > WORK and bool(self._worker.deliveries.waits_before(assignment.deliveries[-1].queue))

    def _extend(self, assignment: Assignment) -> None:
        """Send the child more jobs before it has come to the end of these, so that it does not stand still."""
        worker = self._worker
        if assignment.is_ample or self._stopping is not None:
            return
        if not (more := worker.intake.take_more(assignment.room)):
            return
        with self.lock:
            if self._stopping is None:
                worker.log_taken(more)
                self.sent += len(more)
                assignment.extend(more, last=worker.intake.ends_child(len(more)))
                return
        worker.deliveries.put_back(more)

    def _meet_long_job(self, assignment: Assignment, position: int) -> None:
        """The job at this position takes a while: what waits behind it goes back, and RQ records that it runs."""
        assignment.take_back()
        if assignment.note_ends() > position:  # it has ended in this moment
            return
        assignment.long = position
        self._worker.records.flush()
        self._worker.records.open(assignment.deliveries[position], moment(assignment.began))
        self._worker.look_for_stop()  # one that came before RQ knew whom to tell

    # The end

    def _account(self, child: ChildHandle, assignment: Assignment, ended: Ended, *, by_rq: bool) -> int:
        """Account for the jobs of the batch; returns how many were begun."""
        noted = assignment.note_ends(by_rq=by_rq)
        begun = child.done.begun if child.done is not None else assignment.position + 1
        self.size.learn(begun, time.monotonic() - assignment.handed_over)
        if child.done is not None and noted and not by_rq:
            self.size.learn_handing_over(self._worker.intake.seconds + assignment.idle)
        if child.done is None:
            child.kill()
            status = ended[1] or _ENDED_UNASKED
            assignment.settle(ended[1])
            if noted < begun:
                self._record_death(assignment, (ended[0], status, ended[2]))
            child.close()
            self.child = None
        elif child.last:
            child.kill()  # with what its job has left behind
            child.close()
            self.child = None
            if self._worker.preload.follow():
                connections.close_all()  # what a module has asked at its import; no two processes share a session
                share_memory()
                self._end_spare()  # it would have to import that itself
        elif not child.done.more:
            self.dismiss()
        return begun

    def _record_death(self, assignment: Assignment, ended: Ended) -> None:
        """Have RQ record the death of the child by its own code."""
        current = assignment.current
        job, execution = self._worker.records.opened(current, moment(assignment.began))
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
            child, assignment = self.child, self._assignment
            if self._over or child is None or assignment is None or assignment.current.id != delivery_id:
                if self._worker._stopped_job_id == delivery_id:
                    self._worker._stopped_job_id = None  # the job is over; the request hits no other
                return
            if self._stopping is not None:
                return
            position = assignment.position
            self._stopping = position, time.monotonic() + grace
            self._worker._stopped_job_id = delivery_id
            child.page.limit = min(child.page.limit, position + 1)
            if grace > 0:
                child.page.stop = position
                child.signal(STOP)
            else:
                self._kill(child, assignment, position)

    def _kill(self, child: ChildHandle, assignment: Assignment, position: int) -> None:
        """Kill the child, if it still is at the job at this position."""
        child.suspend()
        if assignment.position == position and not child.page.times(position)[1]:
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
        self.child, self._spare = self._spare, None
        if self.child is None or not self.child.is_alive():
            self.dismiss()
            with self._worker.forking():
                self.child = ChildHandle.fork(self._worker.live)
        return self.child

    def _bring_spare(self) -> None:
        """Fork the next child already: it connects to the database while this one is at its only job."""
        if self._spare is not None:
            return
        with self._worker.forking(patience=0) as undisturbed:
            try:
                self._spare = ChildHandle.fork(self._worker.live) if undisturbed else None
            except OSError as error:
                logger.debug('No second child could be forked (%s).', error)

    def _end_spare(self) -> None:
        spare, self._spare = self._spare, None
        if spare is not None:
            spare.dismiss()

    def dismiss(self) -> None:
        """End the child that waits, if there is one."""
        child, self.child = self.child, None
        if child is not None:
            child.dismiss()

    def end(self) -> None:
        """End all children."""
        self.dismiss()
        self._end_spare()

    def forget(self) -> None:
        """In a child: it has none of its own."""
        self.child = self._spare = self._assignment = None

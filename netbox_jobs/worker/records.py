"""RQ's own records of the jobs that our workers run: what `rq info`, django-rq's pages and RQ's exporters read.

They are whole and mean what they mean to RQ, but they come late, by less than a second: the ends of several jobs are
written in one pipeline. RQ's own code records that a job is running, if it runs for longer than a moment, and every end
that is more than a plain success.
"""

import inspect
import logging
import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from redis.exceptions import ConnectionError, TimeoutError
from rq.executions import Execution
from rq.job import JobStatus
from rq.results import Result
from rq.utils import now, utcformat
from rq.worker import Worker as RQWorker

from .dequeue import Delivery

logger = logging.getLogger('netbox_jobs')

#: Seconds after which the ends that have been noted are written, and how many are written at once.
LATENESS = 0.25
BATCH = 100
#: The most ends that are remembered while Redis is away.
_REMEMBERED = 10_000

#: Whether RQ passes its record of a run along, instead of keeping it on the worker.
TAKES_EXECUTION = 'execution' in inspect.signature(RQWorker.handle_job_success).parameters  # since RQ 3


@dataclass(frozen=True)
class End:
    """A job that has ended well."""

    delivery: Delivery
    began: datetime
    ended: datetime
    #: RQ's objects of the job and of the record that it is running, if there is one.
    opened: tuple[Any, Any] | None = None


class Records:
    """What one worker has to write."""

    def __init__(self, worker: Any) -> None:
        self._worker = worker
        self._ends: list[End] = []
        self._oldest = self._next_sign = 0.0
        # RQ's objects of the job that is recorded as running, and of that record.
        self._open: tuple[str, Any, Any] | None = None

    def add(self, delivery: Delivery, began: datetime, ended: datetime) -> None:
        """Note that a job has ended well."""
        opened, is_open = None, self._open is not None and self._open[0] == delivery.id
        if self._open is not None and is_open:
            opened, self._open = self._open[1:], None
        if not self._ends:
            self._oldest = time.monotonic()
        if len(self._ends) < _REMEMBERED:
            self._ends.append(End(delivery, began, ended, opened))
        self._worker.log.info('Worker %s: %s: Job OK (%s)', self._worker.name, delivery.queue.name, delivery.id)
        if is_open:
            self.flush()

    def flush_if_due(self) -> None:
        """Write the ends that have been noted, if they are many or some wait long."""
        if self._ends and (len(self._ends) >= BATCH or time.monotonic() - self._oldest >= LATENESS):
            self.flush()

    def flush(self) -> None:
        """Write the ends that have been noted. Never raises: what cannot be written now is written later."""
        while self._ends:
            try:
                dependents = self._write(self._ends[:BATCH])
            except (ConnectionError, TimeoutError) as error:
                self._worker.log_redis_down(error)
                self._oldest = time.monotonic()
                return
            except Exception:
                logger.exception("RQ's records of %s jobs could not be written.", len(self._ends[:BATCH]))
                dependents = []
            del self._ends[:BATCH]
            for end in dependents:
                self._enqueue_dependents(end)

    def _write(self, ends: list[End]) -> list[End]:
        """Write these ends; returns those that other jobs of RQ may depend on."""
        worker, seconds = self._worker, timedelta()
        with worker.connection.pipeline() as pipeline:
            finished: dict[str, dict[str, Any]] = defaultdict(dict)
            for end in ends:
                score = self._write_success(end, pipeline)
                finished[end.delivery.queue.finished_job_registry.key][end.delivery.id] = score
                seconds += end.ended - end.began
            for key, scores in finished.items():
                pipeline.zadd(key, scores)
            pipeline.hincrby(worker.key, 'successful_job_count', len(ends))
            worker.increment_total_working_time(seconds, pipeline)
            pipeline.exists(*(worker.job_class.dependents_key_for(end.delivery.id) for end in ends))
            *_, dependents = pipeline.execute()
        return ends if dependents else []

    def _write_success(self, end: End, pipeline: Any) -> float | str:
        """Write what RQ writes of a success; returns until when RQ keeps that."""
        worker, delivery = self._worker, end.delivery
        key, ttl = worker.job_class.key_for(delivery.id), int(delivery.entry.get(b'result_ttl') or _ttl(worker))
        ended = utcformat(end.ended)
        # All of it, as RQ does: Redis may have lost the job meanwhile.
        changed: dict[Any, Any] = {b'status': JobStatus.FINISHED.value, b'worker_name': worker.name}
        changed |= {b'started_at': utcformat(end.began), b'ended_at': ended, b'last_heartbeat': ended}
        pipeline.hset(key, mapping={**delivery.entry, **changed})
        if ttl > 0:
            pipeline.expire(key, ttl)
        result = Result(
            delivery.id, Result.Type.SUCCESSFUL, connection=worker.connection, worker_name=worker.name,
            serializer=worker.serializer, execution_id=end.opened[1].id if end.opened else uuid4().hex,
            execution_started_at=end.began, execution_ended_at=end.ended,
        )  # fmt: skip
        result.save(ttl=ttl, pipeline=pipeline)
        if end.opened:
            job, execution = end.opened
            worker.cleanup_execution(job, pipeline, **self._passed(execution))
        return '+inf' if ttl < 0 else time.time() + ttl

    def _enqueue_dependents(self, end: End) -> None:
        try:
            end.delivery.queue.enqueue_dependents(end.delivery.load(self._worker))
        except Exception:
            logger.exception('What depends on job %s in RQ could not be enqueued.', end.delivery.id)

    # By RQ's own code

    def open(self, delivery: Delivery, began: datetime) -> None:
        """Record that a job is running."""
        worker = self._worker
        self._open = None
        if hasattr(worker, 'executions'):  # since RQ 3; of a job whose end could not be recorded
            worker.executions.clear()
        job = execution = None
        try:
            job = delivery.load(worker)
            # RQ shows the job's function, for which it would unpickle what is stored.
            job._func_name = job.description
            execution = worker.prepare_execution(job)
            RQWorker.prepare_job_execution(worker, job, False)
        except (ConnectionError, TimeoutError) as error:
            worker.log_redis_down(error)
        except Exception:  # the job runs nevertheless
            logger.exception("RQ's record of job %s could not be opened.", delivery.id)
        if job is None:
            return
        if execution is None:
            execution = Execution(uuid4().hex, delivery.id, connection=worker.connection)
        execution.created_at = job.started_at = began
        self._open = delivery.id, job, execution
        self._next_sign = time.monotonic() + worker.job_monitoring_interval

    def opened(self, delivery: Delivery, began: datetime) -> tuple[Any, Any]:
        """RQ's objects of a job and of the record that it is running, which is written if it has not been."""
        if self._open is None or self._open[0] != delivery.id:
            self.open(delivery, began)
        assert self._open is not None
        return self._open[1:]

    def forget(self) -> None:
        """RQ's own code has recorded the end of the job that was recorded as running."""
        if self._open is not None and TAKES_EXECUTION:
            self._worker.executions.pop(self._open[2].id, None)
        elif not TAKES_EXECUTION:
            self._worker.execution = None
        self._open = None

    def heartbeat(self) -> None:
        """While a job runs: write what is due, and RQ's signs of life of a job that is recorded as running."""
        self.flush_if_due()
        if self._open is not None and time.monotonic() >= self._next_sign:
            self._next_sign = time.monotonic() + self._worker.job_monitoring_interval
            _id, job, execution = self._open
            self._worker.maintain_heartbeats(job, **self._passed(execution))

    def fail(self, delivery: Delivery, began: datetime, ended: datetime, error: str) -> None:
        """Record that a job has failed."""
        (job, execution), worker, queue = self.opened(delivery, began), self._worker, delivery.queue
        job.ended_at = ended
        try:
            worker.handle_job_failure(
                job, queue, queue.started_job_registry, exc_string=error, **self._passed(execution)
            )
        except (ConnectionError, TimeoutError) as problem:
            worker.log_redis_down(problem)
        except Exception:
            logger.exception("RQ's record of the end of job %s could not be written.", job.id)
        finally:
            self.forget()

    def _passed(self, execution: Any) -> dict[str, Any]:
        """The argument by which RQ's methods are given the record of a run; until RQ 3, they take the worker's."""
        if TAKES_EXECUTION:
            return {'execution': execution}
        self._worker.execution = execution
        return {}


def _ttl(worker: Any) -> int:
    return int(worker.default_result_ttl)


def moment(monotonic: float) -> datetime:
    """The time that was on the monotonic clock then."""
    return now() - timedelta(seconds=time.monotonic() - monotonic)

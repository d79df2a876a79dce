"""The fast worker: the same promises, with a child that lives on from job to job.

It is replaced when it dies, has to be killed, leaves a process behind, or has run `JOBS_PER_CHILD` jobs. Between two
jobs that follow each other, Redis is told no more than what somebody looks at.
"""

import time
from typing import Any

from redis.exceptions import RedisError
from rq.exceptions import DequeueTimeout
from rq.worker import Worker as RQWorker
from rq.worker import WorkerStatus

from ..core import conf
from .loop import Worker

#: Seconds for which the next job is looked for in one round trip for all queues; the least that Redis waits for.
_GLANCE = 0.01
#: The version of Redis that takes fractions of a second.
_FRACTIONS = (6, 0, 0)


class FastWorker(Worker):
    """A worker whose child lives on; see `rqworker --fast`."""

    _next_suspension = 0.0

    def jobs_per_child(self) -> int:
        """As many as the project says."""
        return int(conf.get('JOBS_PER_CHILD'))

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
        """RQ's `suspend`, looked for once a second; RQ's books of the last job are not closed before that."""
        if time.monotonic() >= self._next_suspension:
            self._next_suspension = time.monotonic() + 1
            super().check_for_suspension(burst)

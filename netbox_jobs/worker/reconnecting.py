"""What lets a worker survive the loss of Redis, wherever it comes; and starts RQ's scheduler when it is needed."""

import logging
import time
from collections.abc import Callable
from typing import Any

from redis.exceptions import ConnectionError, RedisError, TimeoutError
from rq.worker_registration import WORKERS_BY_QUEUE_KEY

from .startup import wait_for

logger = logging.getLogger('netbox_jobs')

#: Seconds that a worker listens to Redis in one go.
_LISTEN = 15
#: The same, until RQ's scheduler has been needed: this soon one is started for jobs that need it.
_LISTEN_FIRST = 2
#: Seconds between two of a worker's signs of life in Redis, which expire after minutes.
_BEAT = 1.0

_RQWorker: Any = object  # what this is mixed into


def _as_far_as_redis_answers(name: str) -> Any:
    """RQ's method of this name, as far as Redis answers."""

    def method(worker: 'Reconnecting', *args: Any, **kwargs: Any) -> None:
        try:
            getattr(super(Reconnecting, worker), name)(*args, **kwargs)
        except RedisError as error:
            worker.log_redis_down(error)

    return method


class Reconnecting(_RQWorker):
    """Mixed into RQ's worker: it continues when Redis is back."""

    # Redis may come back at any moment; RQ would wait for up to a minute before it looks.
    max_connection_wait_time = 4.0

    redis_is_down = False
    served_by = 1  # so many workers serve the same queues
    _next_beat = 0.0
    _scheduler_to_come: Callable[[], None] | None = None
    birth_date: Any

    set_state = _as_far_as_redis_answers('set_state')
    set_shutdown_requested_date = _as_far_as_redis_answers('set_shutdown_requested_date')  # on a SIGTERM
    check_for_suspension = _as_far_as_redis_answers('check_for_suspension')
    run_maintenance_tasks = _as_far_as_redis_answers('run_maintenance_tasks')
    maintain_heartbeats = _as_far_as_redis_answers('maintain_heartbeats')
    register_death = _as_far_as_redis_answers('register_death')

    def log_redis_down(self, error: Exception) -> None:
        """Say once that Redis does not answer."""
        if not self.redis_is_down:
            logger.warning('Redis does not answer (%s); this worker waits for it.', error)
        self.redis_is_down = True

    @property
    def dequeue_timeout(self) -> int:
        """Seconds that the worker listens to Redis in one go: this soon it notices one that has vanished without a
        word, or has forgotten the worker. (RQ listens for seven minutes.)"""
        return min(_LISTEN if self._scheduler_to_come is None else _LISTEN_FIRST, super().dequeue_timeout)

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """RQ's sign of life; registers the worker again where Redis has forgotten it."""
        if pipeline is not None:
            super().heartbeat(timeout, pipeline)
            return
        if timeout is None and not self.redis_is_down and time.monotonic() < self._next_beat:
            return  # RQ calls this three times for each job
        try:
            with self.connection.pipeline(transaction=False) as beat:
                super().heartbeat(timeout, beat)
                for queue in self.queues:
                    beat.scard(WORKERS_BY_QUEUE_KEY % queue.name)
                beat.hexists(self.key, 'birth')
                beat.exists(*(queue.scheduled_job_registry.key for queue in self.queues))
                *found, known, scheduled = beat.execute()
            self.served_by = max(found[-len(self.queues) :], default=1)
            self._next_beat = time.monotonic() + _BEAT
            if scheduled and self._scheduler_to_come is not None:
                self._bring_scheduler()
            if self.redis_is_down or not known:
                self.redis_is_down = False
                self._register_again()
        except RedisError as error:
            self.log_redis_down(error)

    def _set_ip_address(self, connection: Any) -> None:
        # What RQ asks Redis first, when the worker is made.
        def ask() -> RedisError | None:
            try:
                super(Reconnecting, self)._set_ip_address(connection)
            except (ConnectionError, TimeoutError) as error:
                return error
            return None

        wait_for('Redis', ask)

    def bootstrap(self, *args: Any, **kwargs: Any) -> None:
        """What RQ writes first, again where Redis goes away in the middle of it."""
        while True:
            try:
                super().bootstrap(*args, **kwargs)
            except (ConnectionError, TimeoutError) as error:
                self.log_redis_down(error)
                time.sleep(1)
            else:
                return

    def register_birth(self) -> None:
        """RQ refuses a name that is taken, also by this worker a moment ago."""
        if self.redis_is_down:
            self.connection.delete(self.key)
        super().register_birth()

    def _start_scheduler(self, burst: bool = False, *args: Any, **kwargs: Any) -> None:
        # RQ's own is a process, and for jobs of other code only: it waits until there is one.
        self._scheduler_to_come = lambda: super(Reconnecting, self)._start_scheduler(burst, *args, **kwargs)
        if burst:
            self._bring_scheduler()

    def _bring_scheduler(self) -> None:
        start, self._scheduler_to_come = self._scheduler_to_come, None
        assert start is not None
        try:
            with self.forking():
                start()
        except RedisError as error:
            self.log_redis_down(error)
            self._scheduler_to_come = start

    def _register_again(self) -> None:
        birth = self.birth_date
        if not self.connection.hexists(self.key, 'birth'):
            self.connection.delete(self.key)
            self.register_birth()
            self.birth_date = birth or self.birth_date

"""RQ's worker, made to outlive the loss of Redis, at whichever line it comes; and to bring RQ's scheduler in time."""

import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from redis.exceptions import ConnectionError, RedisError, TimeoutError
from rq import Worker as RQWorker

logger = logging.getLogger('netbox_jobs')

#: Seconds for which Redis is listened to in one go.
_LISTEN = 15
#: The same, as long as RQ's scheduler has not been needed: so soon is one brought who has to see to a job.
_LISTEN_FIRST = 2
#: Seconds between two of a worker's signs of life in Redis, which expire after minutes.
_BEAT = 1.0


class LastingWorker(RQWorker):
    """A forking worker that goes on when Redis is back."""

    # Redis may come back at any moment; RQ would wait for up to a minute before it looks.
    max_connection_wait_time = 4.0

    _redis_lost = False
    _next_beat = 0.0
    _scheduler_to_come: Callable[[], None] | None = None
    birth_date: Any

    def _forking(self) -> AbstractContextManager[None]:
        """Held around a fork."""
        return nullcontext()

    @property
    def dequeue_timeout(self) -> int:
        """Seconds for which Redis is listened to in one go: so soon is one noticed that has vanished without a word, or
        has forgotten us. (RQ listens for seven minutes.)"""
        return min(_LISTEN if self._scheduler_to_come is None else _LISTEN_FIRST, super().dequeue_timeout)

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """RQ's sign of life; registers anew where Redis has forgotten us."""
        if pipeline is not None:
            super().heartbeat(timeout, pipeline)
            return
        if timeout is None and not self._redis_lost and time.monotonic() < self._next_beat:
            return  # RQ calls this three times for each job
        try:
            with self.connection.pipeline(transaction=False) as beat:
                super().heartbeat(timeout, beat)
                beat.hexists(self.key, 'birth')
                beat.exists(*(queue.scheduled_job_registry.key for queue in self.queues))
                known, scheduled = beat.execute()[-2:]
            self._next_beat = time.monotonic() + _BEAT
            if scheduled and self._scheduler_to_come is not None:
                self._bring_scheduler()
            if self._redis_lost or not known:
                self._redis_lost = False
                self._register_again()
        except RedisError as error:
            self._tell_lost(error)

    def set_state(self, state: str, pipeline: Any = None) -> None:
        """RQ's state of the worker, as far as Redis takes it."""
        try:
            super().set_state(state, pipeline)
        except RedisError as error:
            self._tell_lost(error)

    def set_shutdown_requested_date(self) -> None:
        """RQ's note of a SIGTERM, which comes in the middle of anything."""
        try:
            super().set_shutdown_requested_date()
        except RedisError as error:
            self._tell_lost(error)

    def dequeue_job_and_maintain_ttl(self, *args: Any, **kwargs: Any) -> Any:
        """The next job; a silent Redis is waited for like one that is down."""
        while True:
            try:
                return super().dequeue_job_and_maintain_ttl(*args, **kwargs)
            except TimeoutError as error:
                self._tell_lost(error)
                time.sleep(1)

    def bootstrap(self, *args: Any, **kwargs: Any) -> None:
        """RQ's first words with Redis, said again where it goes away in the middle of them."""
        while True:
            try:
                super().bootstrap(*args, **kwargs)
            except (ConnectionError, TimeoutError) as error:
                self._tell_lost(error)
                time.sleep(1)
            else:
                return

    def register_birth(self) -> None:
        """RQ's, which refuses a name that is taken: also by ourselves, a moment ago."""
        if self._redis_lost:
            self.connection.delete(self.key)
        super().register_birth()

    def _start_scheduler(self, burst: bool = False, *args: Any, **kwargs: Any) -> None:
        # RQ's own is a process, and for foreign jobs only: it waits until there is one.
        self._scheduler_to_come = lambda: super(LastingWorker, self)._start_scheduler(burst, *args, **kwargs)
        if burst:
            self._bring_scheduler()

    def _bring_scheduler(self) -> None:
        start, self._scheduler_to_come = self._scheduler_to_come, None
        assert start is not None
        try:
            with self._forking():
                start()
        except RedisError as error:
            self._tell_lost(error)
            self._scheduler_to_come = start

    def check_for_suspension(self, burst: bool) -> None:
        """RQ's `suspend`; a Redis that cannot be asked has suspended nobody."""
        try:
            super().check_for_suspension(burst)
        except RedisError as error:
            self._tell_lost(error)

    def run_maintenance_tasks(self) -> None:
        """RQ's own tidying, as far as Redis answers."""
        try:
            super().run_maintenance_tasks()
        except RedisError as error:
            self._tell_lost(error)

    def register_death(self) -> None:
        """RQ's farewell, as far as Redis takes it."""
        try:
            super().register_death()
        except RedisError as error:
            self._tell_lost(error)

    def _register_again(self) -> None:
        birth = self.birth_date
        if not self.connection.hexists(self.key, 'birth'):
            self.connection.delete(self.key)
            self.register_birth()
            self.birth_date = birth or self.birth_date

    def _tell_lost(self, error: Exception) -> None:
        if not self._redis_lost:
            logger.warning('Redis does not answer (%s); this worker goes on, and waits for it.', error)
        self._redis_lost = True

"""Takes deliveries out of Redis: several at once, from the first queue that has any."""

import logging
import zlib
from collections.abc import Sequence
from typing import Any

from redis.exceptions import RedisError
from rq.exceptions import NoSuchJobError

from ..broker.delivery import ENTRY

logger = logging.getLogger('netbox_jobs')

#: The version of Redis that takes several ids from the first of several queues that is not empty.
_LMPOP = (7, 0, 0)
#: The fields of a job in Redis that say no more than that it runs one of ours. Others may be there and empty.
_PLAIN = {
    b'status', b'created_at', b'data', b'started_at', b'ended_at', b'last_heartbeat', b'worker_name', b'origin',
    b'description', b'enqueued_at', b'timeout', b'failure_ttl', b'result_ttl', b'ttl', b'enqueue_at_front',
}  # fmt: skip
#: Stands for an id in the call of a job of ours, as RQ stores it.
_ANY_ID = '0' * 36


class Delivery:
    """A job that has been taken out of a queue of RQ."""

    __slots__ = ('entry', 'id', 'job_id', 'plain', 'queue')

    def __init__(self, id: str, queue: Any, entry: dict[bytes, bytes]) -> None:
        #: RQ's id of it.
        self.id = id
        #: RQ's queue that it was taken from.
        self.queue = queue
        #: What Redis has of it.
        self.entry = entry
        #: The `job_id` of our row; None if it is a job of other code.
        self.job_id: str | None = None
        #: Whether RQ has nothing to do for it but to record its end.
        self.plain = False

    @property
    def description(self) -> str:
        """What RQ says of it in its log."""
        return self.entry.get(b'description', b'').decode(errors='replace')

    def load(self, worker: Any) -> Any:
        """RQ's object of the job.

        Raises:
            NoSuchJobError: What Redis has is no job.
        """
        job = worker.job_class(self.id, connection=worker.connection, serializer=worker.serializer)
        job.restore(self.entry)
        return job


class Dequeue:
    """The queues of one worker, as it takes jobs from them."""

    def __init__(self, worker: Any) -> None:
        self._worker = worker
        self._queues = {queue.key: queue for queue in worker.queues}
        self._call = worker.serializer.dumps((ENTRY, None, (_ANY_ID,), {}))
        #: How many jobs waited in all queues after the last `take()`.
        self.waiting = 0

    def take(self, count: int) -> list[Delivery]:
        """Take up to `count` jobs of the first queue that has any, without waiting for one."""
        keys = [queue.key for queue in self._worker._ordered_queues]
        with self._worker.connection.pipeline(transaction=False) as pipeline:
            if self._has_lmpop():
                pipeline.lmpop(len(keys), *keys, direction='LEFT', count=count)
            for key in keys:
                pipeline.llen(key)
            popped = pipeline.execute()
        found = popped.pop(0) if self._has_lmpop() else self._pop_from(keys, popped, count)
        if not found:
            self.waiting = sum(popped)
            return []
        key, ids = found
        # The lengths are those after the pop, except on an old server.
        self.waiting = sum(popped) - (0 if self._has_lmpop() else len(ids))
        return self._fetch(key, ids)

    def _pop_from(self, keys: list[str], lengths: list[int], count: int) -> Any:
        """What LMPOP does, for servers without it."""
        for key, length in zip(keys, lengths, strict=True):
            if length:
                with self._worker.connection.pipeline() as pipeline:
                    for _ in range(min(count, length)):
                        pipeline.lpop(key)
                    if ids := [id for id in pipeline.execute() if id is not None]:
                        return key, ids
        return None

    def wait(self, seconds: float) -> list[Delivery]:
        """Wait so long for one job, and take it."""
        keys = [queue.key for queue in self._worker._ordered_queues]
        found = self._worker.connection.blpop(keys, timeout=seconds)
        self.waiting = 0
        return self._fetch(found[0], [found[1]]) if found else []

    def put_back(self, deliveries: Sequence[Delivery]) -> None:
        """Have these jobs wait in RQ again, before all that waits there; if Redis does not answer, recovery does so."""
        if not deliveries:
            return
        try:
            with self._worker.connection.pipeline() as pipeline:
                for delivery in reversed(deliveries):
                    pipeline.lpush(delivery.queue.key, delivery.id)
                pipeline.execute()
        except RedisError as error:
            self._worker.log_redis_down(error)

    def waits_before(self, queue: Any) -> bool:
        """Whether jobs wait in a queue that this worker serves before that one, as far as Redis answers."""
        keys = [known.key for known in self._worker._ordered_queues]
        before = keys[: keys.index(queue.key)] if queue.key in keys else []
        if not before:
            return False
        try:
            with self._worker.connection.pipeline(transaction=False) as pipeline:
                for key in before:
                    pipeline.llen(key)
                return any(pipeline.execute())
        except RedisError:
            return False

    def _has_lmpop(self) -> bool:
        return tuple(self._worker.get_redis_server_version()) >= _LMPOP

    def _fetch(self, key: bytes | str, ids: Sequence[bytes]) -> list[Delivery]:
        queue = self._queues[key.decode() if isinstance(key, bytes) else key]
        self._worker.reorder_queues(reference_queue=queue)
        names = [id.decode() for id in ids]
        key_for = self._worker.job_class.key_for
        if len(names) == 1:
            entries = [self._worker.connection.hgetall(key_for(names[0]))]
        else:
            with self._worker.connection.pipeline(transaction=False) as pipeline:
                for name in names:
                    pipeline.hgetall(key_for(name))
                entries = pipeline.execute()
        # One that is not there any more has been deleted, or has expired: RQ passes over it as well.
        found = [Delivery(name, queue, entry) for name, entry in zip(names, entries, strict=True) if b'data' in entry]
        for delivery in found:
            self._identify(delivery)
        return found

    def _identify(self, delivery: Delivery) -> None:
        """Find out whether it is one of ours; what other code has stored is not unpickled."""
        stored = delivery.entry[b'data']
        try:
            call = zlib.decompress(stored)
        except zlib.error:
            call = stored
        job_id = delivery.id[:36]
        if call == self._call.replace(_ANY_ID.encode(), job_id.encode()):
            delivery.job_id = job_id
            delivery.plain = (
                all(not value or name in _PLAIN for name, value in delivery.entry.items())
                and delivery.entry.get(b'origin') == delivery.queue.name.encode()
                and delivery.entry.get(b'result_ttl') != b'0'
            )
        elif ENTRY.encode() in call:
            try:
                job = delivery.load(self._worker)
                delivery.job_id = str(job.args[0]) if job.func_name == ENTRY else None
            except (NoSuchJobError, Exception) as error:
                logger.info('RQ job %s cannot be read (%s: %s).', delivery.id, type(error).__name__, error)

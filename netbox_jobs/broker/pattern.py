"""Deliveries by a pattern: RQ shows how it writes one, and those of the same kind are written like it.

For each job, RQ makes an object of fifty attributes and writes fifteen fields in two commands, half of them empty.
All but four fields are the same in all deliveries to a queue. If anything is unexpected, there is no pattern, and RQ
writes each delivery itself. Benchmark row: `enqueue, no instance`.
"""

import logging
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django_rq.queues import DjangoRQ
from redis.client import Pipeline
from redis.exceptions import RedisError
from rq import Queue
from rq.job import Job as RQJob
from rq.utils import now, utcformat

logger = logging.getLogger('netbox_jobs')

#: The options of RQ that deliveries by a pattern may have, beside their descriptions.
_OPTIONS = {'at_front', 'failure_ttl', 'result_ttl', 'description'}
#: The fields that differ from one delivery to the next.
_OWN = ('data', 'description', 'created_at', 'enqueued_at')
#: Stands for an id until the pattern is known.
_ANY_ID = '00000000-0000-0000-0000-000000000000'


@dataclass(frozen=True, eq=False, slots=True)
class Pattern:
    """How RQ writes deliveries of one kind to one queue."""

    queue: Queue
    function: str
    #: The fields that all deliveries share, each name followed by its value.
    shared: tuple[Any, ...]

    def write(self, calls: Sequence[Mapping[str, Any]]) -> None:
        """Write deliveries in one round trip; several of them in one transaction of Redis, all or none.

        One delivery needs none: a worker passes over an id without its fields, and recovery delivers the job again.

        Raises:
            RedisError: Redis does not answer.
        """
        queue, moment = self.queue, utcformat(now())
        with queue.connection.pipeline(transaction=len(calls) > 1) as pipeline:
            pipeline.sadd(queue.redis_queues_keys, queue.key)
            for call in calls:
                own = ('data', _data(queue, self.function, call), 'description', call['description'])
                when = ('created_at', moment, 'enqueued_at', moment)
                pipeline.execute_command('HSET', RQJob.key_for(call['job_id']), *own, *when, *self.shared)
            for push, front in ((pipeline.lpush, True), (pipeline.rpush, False)):
                if ids := [call['job_id'] for call in calls if bool(call.get('at_front')) is front]:
                    push(queue.key, *ids)
            pipeline.execute()


# By the number of the queue and what deliveries have in common; with the queue, so that no other one gets its number.
_patterns: dict[Any, tuple[Queue, Pattern | None]] = {}


def pattern_of(queue: Queue, function: str, call: Mapping[str, Any], options: Mapping[str, Any]) -> Pattern | None:
    """Return the pattern of a delivery, if there is one.

    Args:
        queue: RQ's queue.
        function: The path of what is called.
        call: RQ's arguments of the delivery; see `Delivery.as_rq_call()`.
        options: RQ's options of the call, as the row stores them.
    """
    if options and not options.keys() <= _OPTIONS:
        return None
    # What django-rq reads with each call.
    kept = getattr(settings, 'RQ', {}).get('DEFAULT_RESULT_TTL')
    kind = (id(queue), function, call['timeout'], call['failure_ttl'], call.get('result_ttl'), kept)
    if kind not in _patterns:
        _patterns[kind] = queue, _learn(queue, function, call)
    return _patterns[kind][1]


def _learn(queue: Queue, function: str, call: Mapping[str, Any]) -> Pattern | None:
    """Have RQ write a delivery into a pipeline that is not sent, and see what it writes."""
    if type(queue) not in (DjangoRQ, Queue) or queue.job_class is not RQJob:
        return None  # a project's own class may do more than write
    sample = {**call, 'args': (_ANY_ID,), 'job_id': _ANY_ID, 'at_front': False}
    try:
        with queue.connection.pipeline() as pipeline:
            queue.enqueue_call(function, **sample, pipeline=pipeline)
            fields = _fields_written(queue, pipeline)
        if fields is None or not all(fields.get(name) for name in _OWN):
            return None
        written = zlib.decompress(fields['data']), fields['description']
        if written != (_data(queue, function, sample), sample['description']):
            return None
    except RedisError:
        raise
    except Exception as error:  # whatever RQ does then, it does with each delivery
        logger.info(
            'RQ shows no pattern of its deliveries (%s: %s); it writes each itself.', type(error).__name__, error
        )
        return None
    shared = [(name, value) for name, value in fields.items() if name not in _OWN and value != '']
    return Pattern(queue, function, tuple(part for pair in shared for part in pair))


def _fields_written(queue: Queue, pipeline: Pipeline) -> dict[str, Any] | None:
    """Return the fields of a job that is pushed into its queue; None if more than that is written."""
    fields: dict[str, Any] = {}
    expected = [('SADD', queue.redis_queues_keys, queue.key), ('RPUSH', queue.key, _ANY_ID)]
    for command, _options in pipeline.command_stack:
        if command[:2] == ('HSET', RQJob.key_for(_ANY_ID)):
            fields |= dict(zip(command[2::2], command[3::2], strict=True))
        elif command in expected:
            expected.remove(command)
        elif command != ('PERSIST', RQJob.key_for(_ANY_ID)):  # it says that a new key does not expire
            logger.debug('RQ writes %r with a job; it writes each itself.', command[0])
            return None
    return None if expected else fields


def _data(queue: Queue, function: str, call: Mapping[str, Any]) -> bytes:
    """Return the call as RQ reads it: also uncompressed. (To compress it would take as long as half of all this.)"""
    return bytes(queue.serializer.dumps((function, None, call['args'], {})))

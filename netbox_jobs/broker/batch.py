"""Batches of deliveries that differ in little: RQ writes the first, and Redis copies it for the others.

To write a job, RQ sends its fifteen fields in two commands. Nearly all of them say the same for each job of a batch, so
that a copy and the few that differ are a third of the work. If anything is unexpected, RQ writes each of them.
"""

import logging
import zlib
from collections.abc import Sequence
from typing import Any

from redis.exceptions import ResponseError
from rq import Queue

logger = logging.getLogger('netbox_jobs')

#: The options of RQ that deliveries may have here, beside what differs from one to the other.
_COMMON = {'timeout', 'failure_ttl', 'result_ttl'}
_OWN = {'args', 'job_id', 'description'}
# What RQ is known to do with one job. More than that would have to be done for the copies too.
_KNOWN_COMMANDS = {'SADD', 'HSET', 'PERSIST', 'RPUSH'}
# `COPY` came with this version of Redis.
_SINCE = (6, 2, 0)

# The servers that have refused, in spite of their version.
_refused: set[int] = set()


def enqueue(target: Queue, function: str, calls: Sequence[dict[str, Any]]) -> bool:
    """Enqueue all of these calls in one transaction, or none of them.

    Args:
        target: RQ's queue.
        function: The path of what is called.
        calls: RQ's options of each.

    Returns:
        Whether it is done; False if it is for RQ to do.

    Raises:
        RedisError: Redis does not answer.
    """
    server = id(target.connection.connection_pool)
    if len(calls) < 2 or server in _refused or not _are_alike(calls):
        return False
    if tuple(target.get_redis_server_version()) < _SINCE:
        return False
    with target.connection.pipeline() as pipeline:
        (first,) = target.enqueue_many([Queue.prepare_data(function, **calls[0])], pipeline=pipeline)
        if not _is_as_expected(first, function, calls[0], pipeline):
            return False
        for call in calls[1:]:
            key = first.key_for(call['job_id'])
            pipeline.copy(first.key, key, replace=True)
            own = {'data': _data(first, function, call)}
            if call['description'] != calls[0]['description']:
                own['description'] = call['description']
            pipeline.hset(key, mapping=own)
        pipeline.rpush(target.key, *(call['job_id'] for call in calls[1:]))
        try:
            pipeline.execute()
        except ResponseError as error:  # Redis has run none of the commands
            logger.info('Redis does not copy (%s); RQ writes each job.', error)
            _refused.add(server)
            return False
    return True


def _are_alike(calls: Sequence[dict[str, Any]]) -> bool:
    first = {key: value for key, value in calls[0].items() if key not in _OWN}
    return first.keys() <= _COMMON and all(
        {key: value for key, value in call.items() if key not in _OWN} == first for call in calls
    )


def _is_as_expected(first: Any, function: str, call: dict[str, Any], pipeline: Any) -> bool:
    written = {str(command[0][0]) for command in pipeline.command_stack}
    return written <= _KNOWN_COMMANDS and first.to_dict()['data'] == _data(first, function, call)


def _data(first: Any, function: str, call: dict[str, Any]) -> bytes:
    """A call as RQ keeps it."""
    return zlib.compress(first.serializer.dumps((function, None, call['args'], {})))

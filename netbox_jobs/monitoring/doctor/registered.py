"""Whether the workers that the database knows are those that Redis knows, and what time they have."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from redis.exceptions import RedisError
from rq import Worker as RQWorker

from ...broker import connection
from ...core import queues
from ...models import Worker, database
from ..queues import served_by
from . import clocks, redis_servers
from .finding import ERROR, WARNING, Finding

#: Seconds within which a worker of RQ writes to Redis that it lives, whatever it does.
HEARTBEAT = 90.0
#: How many workers are looked up on each server.
MOST = 1_000


@dataclass(frozen=True, slots=True)
class _Registered:
    """A worker as a Redis server knows it."""

    name: str
    queues: frozenset[str]
    pid: str
    host: str
    #: How many seconds ago it wrote that it lives, by the clocks of both; negative if its clock is ahead.
    age: float | None
    #: Whether it holds a connection.
    connected: bool


def findings(workers: Iterable[Worker], live: Iterable[Worker]) -> Iterator[Finding]:
    """Yield where the database and Redis disagree about the workers.

    Args:
        workers: All rows.
        live: Those whose heartbeats move.
    """
    rows = {worker.name for worker in workers}
    by_client: dict[str, dict[str, _Registered]] = {}
    for name, client in redis_servers.clients().items():
        try:
            by_client[name] = {each.name: each for each in _registered(client)}
        except RedisError:
            return  # what is wrong with the server is a finding of its own
    everywhere = {name: each for found in by_client.values() for name, each in found.items()}
    for worker in live:
        here = everywhere.get(worker.name)
        if here is None:
            if any(queues.is_async(name) for name in served_by(worker) if name in queues.configured()):
                yield _elsewhere(worker)
        elif here.age is not None and (here.age < -clocks.SKEW or here.age > HEARTBEAT):
            yield clocks.finding('workers', f'the worker {worker.name} on {worker.host}', -here.age, 'the Redis server')
    for first, found in by_client.items():
        yield from _foreign(first, (each for each in found.values() if each.name not in rows))


def _registered(client: Any) -> list[_Registered]:
    """Return the workers that a Redis server knows."""
    prefix = RQWorker.redis_worker_namespace_prefix
    keys = [_text(key) for key in client.smembers(RQWorker.redis_workers_keys)][:MOST]
    with client.pipeline(transaction=False) as pipeline:
        for key in keys:
            pipeline.hmget(key, 'queues', 'pid', 'hostname', 'last_heartbeat')
        hashes = pipeline.execute()
    now = redis_servers.seconds(client)
    try:
        connected = {str(each.get('name')) for each in client.client_list()}
    except RedisError:  # managed servers do not tell
        connected = set()
    found = []
    for key, (served, pid, host, beat) in zip(keys, hashes, strict=True):
        if beat is not None:
            name = key.removeprefix(prefix)
            listed = frozenset(_text(served).split(',')) if served else frozenset()
            found.append(_Registered(name, listed, _text(pid), _text(host), _age(_text(beat), now), name in connected))
    return found


def _age(beat: str, now: float) -> float | None:
    try:
        moment = datetime.fromisoformat(beat)
    except ValueError:
        return None
    return now - (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _text(value: Any) -> str:
    return value.decode(errors='replace') if isinstance(value, bytes) else str(value)


def _elsewhere(worker: Worker) -> Finding:
    served = served_by(worker)
    known = [name for name in served if name in queues.configured()]
    place = redis_servers.address(connection.queue(known[0]).connection)
    return Finding(
        'workers.redis',
        ERROR,
        f'The worker {worker.name} (process {worker.pid} on {worker.host}) is not registered with the Redis server of '
        f'its queues as this process knows it ({place}): it seems to use another one. What this process delivers '
        'reaches it late or never.',
        'Compare RQ_QUEUES, and the variables that it is made from, in the environments of both.',
    )


def _foreign(first: str, found: Iterable[_Registered]) -> Iterator[Finding]:
    client = connection.queue(first).connection
    ours = {name for name in queues.configured() if connection.queue(name).connection is client}
    for each in found:
        if each.connected and (shared := sorted(each.queues & ours)):
            yield Finding(
                'workers.foreign',
                WARNING,
                f'The process {each.pid} on {each.host} takes jobs from the queues {", ".join(shared)} in Redis '
                f'({redis_servers.address(client)}), and is no worker of the database {database()!r}: it is a worker '
                "of RQ's own, or of a project with another database.",
                'Run "manage.py rqworker" of this project in its place, or give each project a Redis database of its '
                'own.',
            )

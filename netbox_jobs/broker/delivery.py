"""From a row to RQ: deliver, withdraw, stop. Redis is told a job's id, and nothing here may fail the caller.

A delivery that does not succeed is logged; recovery makes it good. After a failure Redis is left alone for a few
seconds, so that a site whose Redis has vanished stays as fast as it was.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import django_rq
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.utils.module_loading import import_string
from django_rq import connection_utils
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError, RedisError, TimeoutError
from redis.retry import Retry
from rq import Callback, Queue
from rq.command import send_stop_job_command
from rq.exceptions import InvalidJobOperation, NoSuchJobError
from rq.job import Dependency

from ..choices import JobStatusChoices
from ..core import conf, queues
from . import batch

if TYPE_CHECKING:
    from ..models import Job

logger = logging.getLogger('netbox_jobs')

#: What workers are told to call, with the job's id.
ENTRY = 'netbox_jobs.execution.perform'
#: Seconds for which RQ remembers a failed delivery (its own default is a year); the row remembers it anyway.
FAILURE_TTL = 24 * 3600
#: Seconds for which Redis is not tried again after it could not be reached.
PAUSE = 3.0
#: So many ids are handed over in one transaction of Redis.
BATCH = 500

# Queues by name, each with what it was made from: one client for a server, one queue for a name, in a process.
_queues: dict[str, tuple[Any, Queue]] = {}
_clients: list[tuple[Any, Any]] = []
_paused_until: dict[int, float] = {}


class _Resting(ConnectionError):
    """A server could not be reached a moment ago, and is left alone: which is no further failure of it."""


def queue(name: str) -> Queue:
    """RQ's queue of this name, on a client of our own with short timeouts."""
    config = queues.configured()[queues.check(name)]
    # A test that replaces django-rq's way to connect is heard.
    made_from = (config, connection_utils.get_redis_connection)
    known = _queues.get(name)
    if known is None or known[0] != made_from:
        found = django_rq.get_queue(name, connection=_client(config), commit_mode='auto', is_async=True)
        known = (made_from, found)
        _queues[name] = known
    return known[1]


def _client(config: dict[str, Any]) -> Any:
    made_from = (connection_utils.filter_connection_params(config), connection_utils.get_redis_connection)
    for known, client in _clients:
        if known == made_from:
            return client
    client = connection_utils.get_redis_connection(config)
    pool: Any = getattr(client, 'connection_pool', None)
    if 'USE_REDIS_CACHE' not in config and hasattr(pool, 'connection_kwargs'):
        limit = conf.get('REDIS_TIMEOUT')
        # One more try at once for a pooled connection that Redis has closed; none for a server that is silent.
        retry = Retry(NoBackoff(), 1, supported_errors=(ConnectionError,))
        pool.connection_kwargs.update(socket_connect_timeout=limit, socket_timeout=limit, retry=retry)
    _clients.append((made_from, client))
    return client


def deliver_after_commit(job: 'Job') -> None:
    """Deliver a job that is due once the caller's transaction has committed; never if it rolls back."""
    if job.status == JobStatusChoices.STATUS_PENDING and job.due is not None:
        transaction.on_commit(lambda: deliver(job), using=job._state.db, robust=True)


def deliver_many_after_commit(jobs: 'Sequence[Job]', using: str) -> None:
    """The same for many at once: RQ is told of them in a few round trips."""
    due = [job for job in jobs if job.status == JobStatusChoices.STATUS_PENDING and job.due is not None]
    if due:
        transaction.on_commit(lambda: deliver_many(due), using=using, robust=True)


def deliver(job: 'Job', *, inline: bool = True) -> bool:
    """Hand the id of a committed job to RQ; a queue with `ASYNC: False` runs it here instead.

    Args:
        job: The job, which waits.
        inline: False for recovery, which leaves also the jobs of such a queue to a worker.

    Returns:
        Whether RQ has it. Never raises: what fails is logged, and recovery delivers the job later.
    """
    try:
        if inline and not queues.is_async(job.queue_name):
            import_string('netbox_jobs.execution.entry.run_delivered')(str(job.job_id))
            return True
        _enqueue(_reachable(job.queue_name), job)
    except (ConnectionError, TimeoutError) as error:
        _note(job.queue_name, error)
        logger.warning(
            'Job %s (%s) is stored, but Redis does not answer (%s); it is delivered when Redis is back.',
            job.pk, job.name, error,
        )  # fmt: skip
        return False
    except Exception:
        logger.exception('Job %s (%s) is stored, but could not be delivered; recovery tries again.', job.pk, job.name)
        return False
    return True


def deliver_many(jobs: 'Sequence[Job]') -> int:
    """Hand the ids of committed jobs to RQ; returns how many it has. Never raises, and warns once."""
    by_queue: dict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        by_queue[job.queue_name].append(job)
    delivered, failure = 0, None
    for name, found in by_queue.items():
        for first in range(0, len(found), BATCH):
            try:
                delivered += _deliver_batch(name, found[first : first + BATCH])
            except Exception as error:
                _note(name, error)
                failure = error
    if failure is not None:
        logger.warning(
            '%s of %s jobs are stored, but could not be delivered (%s: %s); recovery delivers them.',
            len(jobs) - delivered, len(jobs), type(failure).__name__, failure,
        )  # fmt: skip
    return delivered


def _deliver_batch(name: str, jobs: 'Sequence[Job]') -> int:
    if not queues.is_async(name):
        return sum(deliver(job) for job in jobs)
    target = _reachable(name)
    calls = [_delivery(job) for job in jobs]
    if not batch.enqueue(target, ENTRY, calls):
        target.enqueue_many([Queue.prepare_data(ENTRY, **call) for call in calls])
    return len(jobs)


def _enqueue(target: Queue, job: 'Job') -> None:
    call = _delivery(job)
    if 'depends_on' in call:  # RQ looks at its own jobs first
        target.enqueue_call(ENTRY, **call)
        return
    # One round trip: without a pipeline of ours, RQ makes two.
    with target.connection.pipeline() as pipeline:
        target.enqueue_call(ENTRY, **call, pipeline=pipeline)
        pipeline.execute()


def _delivery(job: 'Job') -> dict[str, Any]:
    """What RQ is told of a job."""
    options = rq_options(job)
    options.setdefault('description', f'{job.name} ({job.runner})')
    options.setdefault('failure_ttl', FAILURE_TTL)
    return {'args': (str(job.job_id),), 'timeout': job.job_timeout, 'job_id': job.delivery_id, **options}


def rq_options(job: 'Job') -> dict[str, Any]:
    """RQ's options of the call, as RQ takes them."""
    options = dict(job.options)
    if not options:
        return options
    for key in ('on_success', 'on_failure', 'on_stopped'):
        if key in options:
            options[key] = Callback(options[key]['path'], options[key]['timeout'])
    allow_failure = options.pop('allow_failure', False)
    if options.get('depends_on'):
        options['depends_on'] = Dependency(options['depends_on'], allow_failure=allow_failure)
    return options


def withdraw(queue_name: str, delivery_ids: Iterable[str]) -> None:
    """Take deliveries back out of RQ, as far as it still has them. Never raises: the row has decided already."""
    try:
        target = queue(queue_name)
        if _is_paused(target):
            return
        for delivery_id in delivery_ids:
            found = target.fetch_job(delivery_id)
            if found is not None and not found.is_started:
                target.remove(found)
                found.delete()
    except (RedisError, InvalidJobOperation, LookupError) as error:
        logger.info(
            'A delivery could not be withdrawn from queue %s (%s); its worker will leave it.', queue_name, error
        )


def stop(queue_name: str, delivery_id: str) -> None:
    """Tell the worker that runs this delivery to end it now. Never raises: its horse notices within seconds anyway."""
    try:
        target = queue(queue_name)
        if not _is_paused(target):
            send_stop_job_command(target.connection, delivery_id, serializer=target.serializer)
    except (RedisError, InvalidJobOperation, NoSuchJobError, LookupError) as error:
        logger.info('The worker of delivery %s could not be told to stop it (%s).', delivery_id, error)


def answers(queue_name: str) -> bool:
    """Whether the Redis of a queue can be reached; where it could not, it is left alone for a few seconds."""
    target = queue(queue_name)
    if _is_paused(target):
        return False
    try:
        target.connection.ping()
    except RedisError as error:
        _note(queue_name, error)
        return False
    return True


def is_resting(queue_name: str) -> bool:
    """Whether a delivery would be in vain now: the Redis of the queue is left alone, or the queue is not known here."""
    try:
        return _is_paused(queue(queue_name))
    except (ValueError, LookupError, ImproperlyConfigured):
        return True


def run_here(job: 'Job', target: Any, kwargs: dict[str, Any]) -> None:
    """Run a job of this process (`immediate`)."""
    import_string('netbox_jobs.execution.entry.run_here')(job, target, kwargs)


def _server(target: Queue) -> int:
    return id(getattr(target.connection, 'connection_pool', target.connection))


def _is_paused(target: Queue) -> bool:
    return time.monotonic() < _paused_until.get(_server(target), 0)


def _reachable(queue_name: str) -> Queue:
    target = queue(queue_name)
    if _is_paused(target):
        raise _Resting('it could not be reached a moment ago')
    return target


def _note(queue_name: str, error: Exception) -> None:
    """Leave the server of a queue alone for a while, if that is what the error says."""
    if isinstance(error, ConnectionError | TimeoutError) and not isinstance(error, _Resting):
        _paused_until[_server(queue(queue_name))] = time.monotonic() + PAUSE

"""From a row to RQ: deliver the ids of committed jobs, withdraw them, and tell workers to stop a run.

Redis carries ids alone, and nothing here may fail the caller: what cannot be delivered is logged, and recovery delivers
it later.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from redis.exceptions import RedisError
from rq import Callback, Queue
from rq.command import send_stop_job_command
from rq.exceptions import InvalidJobOperation, NoSuchJobError
from rq.job import Dependency

from ..core import conf, queues
from ..models import services
from . import pattern
from .connection import UNAVAILABLE, is_open, note_answer, note_failure, note_undelivered, queue, reachable_queue

logger = logging.getLogger('netbox_jobs')

#: What workers call with the job's id. It stands in Redis, so that it stays importable by this path.
ENTRY = 'netbox_jobs.execution.perform'
#: Seconds for which RQ remembers a failed delivery (its own default is a year); the row remembers it anyway.
FAILURE_TTL = 24 * 3600
#: How many ids go into one transaction of Redis at most.
BATCH = 500

# How many blocks of `withheld()` this process is in.
_withholding = 0


@contextmanager
def withheld() -> Iterator[None]:
    """Leave Redis alone within the block, in all threads: who runs the jobs of a test takes them from the database."""
    global _withholding
    _withholding += 1
    try:
        yield
    finally:
        _withholding -= 1


def _is_off() -> bool:
    return bool(_withholding) or not conf.get('DELIVER')


@dataclass(frozen=True, slots=True)
class Delivery:
    """What Redis receives of a job: everything that one delivery needs, taken from the row."""

    #: The job's `job_id`, which the worker claims it by.
    job_id: str
    #: The id that RQ knows this delivery by; that of the first one is the `job_id`.
    id: str
    queue: str
    #: The job as log lines name it: its number and its name.
    subject: str
    #: What RQ's pages show.
    description: str
    #: The time limit in seconds that the call names, if it does.
    timeout: int | None = None
    #: RQ's options of the call, as the row stores them.
    options: Mapping[str, Any] = field(default_factory=dict)

    def as_rq_call(self) -> dict[str, Any]:
        """Return the arguments of RQ's `enqueue_call()`, but for the function."""
        options = rq_options(self.options)
        options.setdefault('description', self.description)
        options.setdefault('failure_ttl', FAILURE_TTL)
        return {'args': (self.job_id,), 'timeout': self.timeout, 'job_id': self.id, **options}


def deliver(delivery: Delivery, *, inline: bool = True) -> bool:
    """Hand the id of a committed job to RQ; run the job here if its queue has `ASYNC: False`.

    Args:
        delivery: Of a job that waits.
        inline: False for recovery, which leaves the jobs of such a queue to a worker as well.

    Returns:
        Whether RQ has it. Never raises: a failure is logged, and recovery delivers the job later.
    """
    try:
        if inline and not _withholding and not queues.is_async(delivery.queue):
            services.run_delivered(delivery.job_id)
            return True
        if _is_off():
            return False
        _enqueue(reachable_queue(delivery.queue), [delivery])
    except UNAVAILABLE as error:
        note_undelivered(delivery.queue, delivery.subject, error)
        return False
    except Exception:
        logger.exception('%s is stored, but could not be delivered; recovery tries again.', delivery.subject)
        return False
    return True


def deliver_many(deliveries: Sequence[Delivery]) -> int:
    """Hand the ids of committed jobs to RQ in a few round trips; never raises, and warns once.

    Returns:
        How many of them RQ has.
    """
    by_queue: dict[str, list[Delivery]] = defaultdict(list)
    for delivery in deliveries:
        by_queue[delivery.queue].append(delivery)
    delivered, failure = 0, None
    for name, found in by_queue.items():
        away: list[Delivery] = []
        outage: Exception | None = None
        for first in range(0, len(found), BATCH):
            part = found[first : first + BATCH]
            try:
                delivered += _deliver_batch(name, part)
            except UNAVAILABLE as error:
                note_failure(name, error)  # the next part does not wait for it
                away, outage = [*away, *part], error
            except Exception as error:
                failure = error
        if outage is not None:
            subject = f'{away[0].subject}, with {len(away) - 1} others,' if len(away) > 1 else away[0].subject
            note_undelivered(name, subject, outage, len(away))
    if failure is not None:
        logger.warning(
            '%s of %s jobs are stored, but could not be delivered (%s: %s); recovery delivers them.',
            len(deliveries) - delivered, len(deliveries), type(failure).__name__, failure,
        )  # fmt: skip
    return delivered


def _deliver_batch(name: str, deliveries: Sequence[Delivery]) -> int:
    if _is_off() or not queues.is_async(name):
        return sum(deliver(delivery) for delivery in deliveries)
    _enqueue(reachable_queue(name), deliveries)
    return len(deliveries)


def _enqueue(target: Queue, deliveries: Sequence[Delivery]) -> None:
    """Enqueue to one queue, in one round trip: without a pipeline of ours, RQ makes two for each job."""
    calls = [delivery.as_rq_call() for delivery in deliveries]
    found = {pattern.pattern_of(target, ENTRY, call, d.options) for call, d in zip(calls, deliveries, strict=True)}
    by_pattern = found.pop() if len(found) == 1 else None
    if by_pattern is not None:
        by_pattern.write(calls)
    elif len(calls) > 1:
        target.enqueue_many([Queue.prepare_data(ENTRY, **call) for call in calls])
    elif 'depends_on' in calls[0]:  # RQ looks at its own jobs first
        target.enqueue_call(ENTRY, **calls[0])
    else:
        with target.connection.pipeline() as pipeline:
            target.enqueue_call(ENTRY, **calls[0], pipeline=pipeline)
            pipeline.execute()
    note_answer(target)


def rq_options(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a call as RQ takes them."""
    options = dict(stored)
    if not options:
        return options
    for key in ('on_success', 'on_failure', 'on_stopped'):
        if key in options:
            options[key] = Callback(options[key]['path'], options[key]['timeout'])
    allow_failure = options.pop('allow_failure', False)
    options.pop('on_failure_of', None)  # decided in the database
    if options.get('depends_on'):
        options['depends_on'] = Dependency(options['depends_on'], allow_failure=allow_failure)
    return options


def withdraw(queue_name: str, delivery_ids: Iterable[str]) -> None:
    """Take deliveries back out of RQ, as far as it still has them. Never raises: the row has decided already."""
    if _is_off():
        return
    try:
        target = queue(queue_name)
        if is_open(target):
            return
        for delivery_id in delivery_ids:
            found = target.fetch_job(delivery_id)
            if found is not None and not found.is_started:
                target.remove(found)
                found.delete()
    except (RedisError, InvalidJobOperation, LookupError) as error:
        logger.info(
            'A delivery could not be withdrawn from queue %s (%s); its worker finds that the job is not to be run.',
            queue_name, error,
        )  # fmt: skip


def stop(queue_name: str, delivery_id: str) -> None:
    """Tell the worker that runs this delivery to stop it. Never raises: the child process notices within seconds."""
    if _is_off():
        return
    try:
        target = queue(queue_name)
        if not is_open(target):
            send_stop_job_command(target.connection, delivery_id, serializer=target.serializer)
    except (RedisError, InvalidJobOperation, NoSuchJobError, LookupError) as error:
        logger.info('The worker of delivery %s could not be told to stop it (%s).', delivery_id, error)

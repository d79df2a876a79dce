"""What job code of plugins asks about queues and their workers."""

from django.conf import settings
from rq import Retry, Worker

from ...broker import connection
from ...constants import RQ_QUEUE_DEFAULT

__all__ = (
    'any_workers_for_queue',
    'get_all_workers',
    'get_queue_for_model',
    'get_rq_retry',
    'get_workers_for_queue',
)


def get_queue_for_model(model: str | None) -> str:
    """Return the queue that the setting `QUEUE_MAPPINGS` has for a model, given by its name; `default` otherwise."""
    return str(getattr(settings, 'QUEUE_MAPPINGS', {}).get(model, RQ_QUEUE_DEFAULT))


def get_workers_for_queue(queue_name: str) -> int:
    """Return how many workers serve the queue.

    Raises:
        UnknownQueue: There is no such queue.
    """
    return sum(queue_name in worker.queue_names() for worker in _workers(queue_name))


def any_workers_for_queue(queue_name: str) -> bool:
    """Return whether a worker serves the queue."""
    return get_workers_for_queue(queue_name) > 0


def get_all_workers() -> set[str]:
    """Return the names of all workers on the Redis server of `default`."""
    return {worker.name for worker in _workers(RQ_QUEUE_DEFAULT)}


def get_rq_retry() -> Retry | None:
    """Return how RQ retries what is enqueued with RQ alone, by the settings `RQ_RETRY_MAX` and `RQ_RETRY_INTERVAL`.

    Jobs are retried by `Meta.max_retries` of their runner instead.
    """
    most = getattr(settings, 'RQ_RETRY_MAX', 0)
    return Retry(max=most, interval=getattr(settings, 'RQ_RETRY_INTERVAL', 0)) if most else None


def _workers(queue_name: str) -> list[Worker]:
    workers: list[Worker] = Worker.all(connection=connection.queue(queue_name).connection)
    return workers

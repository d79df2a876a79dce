"""The commands about queues and workers."""

from argparse import Namespace

from ..exceptions import UnknownQueue
from ..models import PausedQueue
from ..monitoring.queues import queue_states
from ..monitoring.workers import worker_states
from . import documents, lookup, tables
from .exits import SUCCESS, usage_error
from .screen import Screen

#: How many jobs of a queue are counted in each status.
COUNTED = 100_000


def list_queues(screen: Screen, options: Namespace) -> int:
    """`jobs queues`."""
    found = queue_states(limit=COUNTED)
    if options.json:
        screen.json([documents.queue(row) for row in found])
    else:
        screen.table(tables.queues(found, COUNTED), 'There are no queues.')
    return SUCCESS


def pause(screen: Screen, options: Namespace) -> int:
    """`jobs pause`."""
    for name in [lookup.queue(name) for name in options.queues]:
        new = PausedQueue.pause(name)
        screen.line(f'The queue {name} is {"" if new else "already "}paused.')
    return SUCCESS


def resume(screen: Screen, options: Namespace) -> int:
    """`jobs resume`."""
    for name in options.queues:
        try:
            resumed = PausedQueue.resume(name)
        except UnknownQueue as error:
            raise usage_error(str(error)) from None
        screen.line(f'The queue {name} is resumed.' if resumed else f'The queue {name} was not paused.')
    return SUCCESS


def list_workers(screen: Screen, options: Namespace) -> int:
    """`jobs workers`."""
    found = worker_states()
    if options.json:
        users = documents.usernames(running.job for row in found for running in row.jobs)
        screen.json([documents.worker(row, users) for row in found])
    else:
        screen.table(tables.workers(found), 'No worker is running. Start one with "manage.py rqworker".')
    return SUCCESS

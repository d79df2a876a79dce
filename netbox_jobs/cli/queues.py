"""The commands about queues and workers."""

from argparse import Namespace

from ..exceptions import UnknownQueue
from ..models import PausedQueue
from ..monitoring import stats
from . import lookup, shapes, tables
from .exits import DONE, wrong
from .screen import Screen


def list_queues(screen: Screen, options: Namespace) -> int:
    """`jobs queues`."""
    found = stats.queue_stats()
    if options.json:
        screen.json([shapes.queue(row) for row in found])
    else:
        screen.table(tables.queues(found), 'No queues.')
    return DONE


def pause(screen: Screen, options: Namespace) -> int:
    """`jobs pause`."""
    for name in [lookup.queue(name) for name in options.queues]:
        new = PausedQueue.pause(name)
        screen.line(f'The queue {name} is paused{"" if new else " already"}.')
    return DONE


def resume(screen: Screen, options: Namespace) -> int:
    """`jobs resume`."""
    for name in options.queues:
        try:
            resumed = PausedQueue.resume(name)
        except UnknownQueue as error:
            raise wrong(str(error)) from None
        screen.line(f'The queue {name} goes on.' if resumed else f'The queue {name} was not paused.')
    return DONE


def list_workers(screen: Screen, options: Namespace) -> int:
    """`jobs workers`."""
    found = stats.worker_activity()
    if options.json:
        users = shapes.usernames(each.job for row in found for each in row.jobs)
        screen.json([shapes.worker(row, users) for row in found])
    else:
        screen.table(tables.workers(found), 'No workers. "manage.py rqworker" starts one.')
    return DONE

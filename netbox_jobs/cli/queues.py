"""The commands about queues and workers."""

import time
from argparse import Namespace
from collections.abc import Iterable

from ..core import formatting, queues
from ..exceptions import UnknownQueue
from ..models import PausedQueue, QueueLimit, Worker, database
from ..monitoring import pauses
from ..monitoring.queues import queue_states
from ..monitoring.workers import worker_states
from . import documents, lookup, tables
from .exits import SUCCESS, failure, usage_error
from .screen import Screen

#: Seconds between two looks whether jobs still run.
INTERVAL = 0.5
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


def _named(options: Namespace, every: Iterable[str]) -> list[str]:
    """Return the queues that a command names, or all of them with `--all`."""
    if options.all == bool(options.queues):
        raise usage_error('Expected either the full names of queues, or --all.')
    return list(every) if options.all else options.queues


def pause(screen: Screen, options: Namespace) -> int:
    """`jobs pause`."""
    for name in [lookup.queue(name) for name in _named(options, queues.configured())]:
        new = PausedQueue.pause(name)
        screen.result(name, f'The queue {name} is {"" if new else "already "}paused.')
    return SUCCESS


def resume(screen: Screen, options: Namespace) -> int:
    """`jobs resume`."""
    for name in _named(options, PausedQueue.objects.using(database()).values_list('name', flat=True)):
        try:
            resumed = PausedQueue.resume(name)
        except UnknownQueue as error:
            raise usage_error(str(error)) from None
        screen.result(name, f'The queue {name} is resumed.' if resumed else f'The queue {name} was not paused.')
    return SUCCESS


def limit(screen: Screen, options: Namespace) -> int:
    """`jobs limit`."""
    if options.number == 'settings':
        was_set = QueueLimit.reset(options.queue)
        said = 'The settings say again how many jobs' if was_set else 'Nothing but the settings says how many jobs'
        screen.result(options.queue, f'{said} of the queue {options.queue} run at once.')
        return SUCCESS
    name = lookup.queue(options.queue)
    if options.number != 'none' and not options.number.isdecimal():
        raise usage_error(f"Expected a whole number from 1, 'none' or 'settings', not {options.number!r}.")
    try:
        QueueLimit.set(name, None if options.number == 'none' else int(options.number))
    except ValueError as error:
        raise usage_error(str(error)) from None
    most = 'Any number of' if options.number == 'none' else f'At most {int(options.number)}'
    jobs, run = ('job', 'runs') if most == 'At most 1' else ('jobs', 'run')
    screen.result(name, f'{most} {jobs} of the queue {name} {run} at once.')
    return SUCCESS


def drain(screen: Screen, options: Namespace) -> int:
    """`jobs drain`."""
    pause(screen, options)
    names = _named(options, queues.configured())
    deadline = time.monotonic() + options.timeout
    told = None
    while running := pauses.running_in(names):
        if running != told:
            screen.notice(f'{formatting.number(running)} job{"" if running == 1 else "s"} still running…')
            told = running
        if time.monotonic() > deadline:
            raise failure(
                f'After {options.timeout} seconds, {formatting.number(running)} still run. The queues stay paused; '
                'resume them with "jobs resume", or stop the jobs with "jobs stop".'
            )
        time.sleep(INTERVAL)
    screen.line('No job of these queues runs. Resume them with "jobs resume".')
    return SUCCESS


def leave(screen: Screen, options: Namespace) -> int:
    """`jobs workers leave`."""
    rows = Worker.objects.using(database()).exclude(queues='').order_by('name', 'pk')
    if options.all == bool(options.names):
        raise usage_error('Expected either the names of workers, as "jobs workers" lists them, or --all.')
    for name in options.names:
        if not rows.filter(name=name).exists():
            raise usage_error(f'There is no worker {name!r}. List the workers with "jobs workers".')
    for row in rows if options.all else rows.filter(name__in=options.names):
        told = '' if row.leave() else ' was told already: it'
        screen.result(row.name, f'The worker {row.name}{told} finishes what it runs, begins no more jobs, and ends.')
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

"""`enqueue_once()` of a runner, through its own `enqueue()`."""

from typing import Any

from ..enqueue.request import check
from ..enqueue.rows import watch_unsaved
from ..enqueue.unique import find_slot
from ..enqueue.unsaved import call_transaction
from ..lifecycle.reservation import reserved
from ..models import Job


def enqueue_once(runner: Any, args: tuple[Any, ...], given: dict[str, Any]) -> Job:
    """Keep a runner scheduled exactly once for an instance; see `JobRunner.enqueue_once()`.

    Args:
        runner: The runner class.
        args: Positional arguments of the call, which only an overriding `enqueue()` can mean.
        given: Its keywords.
    """
    if given.get('immediate'):
        raise ValueError('immediate and enqueue_once() exclude each other; use enqueue(immediate=True).')
    request = check(runner.handle, given, call='enqueue_once')
    if given.get('name'):  # also the runner's own, which another name may have replaced
        request.given |= {'name'}
    with call_transaction():
        found = find_slot(request, final=not runner.overrides('enqueue'))
        if isinstance(found, Job):
            watch_unsaved(found, request)
            return found
        when = found.schedule.recurrence
        given = {**given, 'interval': when.interval}
        if when.cron:
            given |= {'cron': when.cron, 'timezone': when.time_zone}
        with reserved(found):
            made: Job = runner.enqueue(*args, **given)
        watch_unsaved(made, request)
        return made

"""`enqueue_once()` of a runner, through its own `enqueue()`."""

from copy import copy
from typing import Any

from ..core import transactions
from ..enqueue.request import EnqueueRequest, check
from ..enqueue.rows import watch_unsaved
from ..enqueue.slot import find_slot
from ..enqueue.unsaved import call_transaction
from ..lifecycle.reservation import reserved
from ..models import Job, database


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
    if request.kwargs and not runner.overrides('enqueue'):  # without arguments, those of the waiting job stay
        request.check_complete('enqueue_once')
    if given.get('name'):  # also the runner's own, which another name may have replaced
        request.given |= {'name'}
    # What the request omits is filled in, which each try does again.
    return transactions.again(lambda: _enqueue_once(runner, args, given, copy(request)), database())


def _enqueue_once(runner: Any, args: tuple[Any, ...], given: dict[str, Any], request: EnqueueRequest) -> Job:
    within = not transactions.is_outermost(database())
    with call_transaction():
        found = find_slot(request, final=not runner.overrides('enqueue'), within=within)
        if isinstance(found, Job):
            watch_unsaved(found, request)
            return found
        when = found.recurrence
        given = {**given, 'interval': when.interval}
        if when.cron:
            given |= {'cron': when.cron, 'timezone': when.time_zone}
        with reserved(found):
            made: Job = runner.enqueue(*args, **given)
        watch_unsaved(made, request)
        return made

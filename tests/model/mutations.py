"""Mutations: the code of the package with one condition dropped, to see whether the model notices."""

import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from netbox_jobs.core.claim import Claim
from netbox_jobs.lifecycle import admission, cancel, claim_sql, deliver, dependencies, finish, requeue, stop, wait

from . import stories as told
from .stories import Play


class Mutation(NamedTuple):
    """A function, a text in it, what stands there instead, and the story in `stories.py` that shows it."""

    what: str
    function: Callable[..., Any]
    before: str
    after: str
    story: Callable[[Play], Any]


_HELD = "{'status': JobStatusChoices.STATUS_RUNNING, 'worker': self.token, 'attempt': self.attempt}"
_CLAIM = Claim.conditions.fget  # type: ignore[attr-defined]
_PENDING = 'status=JobStatusChoices.STATUS_PENDING'

MUTATIONS = (
    Mutation('The claim takes jobs that do not wait', claim_sql._claimable, f'{_PENDING}, ', '', told.claimed_twice),
    Mutation(
        'The claim takes jobs that depend on others', claim_sql._claimable, ', due__isnull=False', '',
        told.claimed_gated,
    ),
    Mutation(
        'The claim does not count the attempt', claim_sql.values, "F('attempt') + 1", "F('attempt')", told.claimed
    ),
    Mutation('The claim keeps the slot of the waiting job', claim_sql.values, "'slot': None,", '', told.claimed),
    Mutation('A run ends its job under a lost claim', _CLAIM, _HELD, '{}', told.ended_late),
    Mutation('A run requeues its job under a lost claim', _CLAIM, _HELD, '{}', told.requeued_late),
    Mutation('The end keeps the claim', finish.outcome_values, "'worker': None,", '', told.ended),
    Mutation(
        'An end replaces an earlier one', finish._End.__init__,
        "{'status__in': only or JobStatusChoices.ENQUEUED_STATE_CHOICES}", '{}', told.ended_twice,
    ),
    Mutation(
        'A requeue ignores a stop', requeue.give_back, 'rows.filter(stopping=None)', 'rows', told.requeued_stopped,
    ),
    Mutation(
        'A requeue ignores the claim', requeue.give_back, '**(claim.conditions if claim is not None else {})', '',
        told.requeued_late,
    ),
    Mutation('A release counts as an attempt', requeue._values, "'attempt': F('attempt') - 1, ", '', told.released),
    Mutation(
        'A cancel ends a job that was claimed meanwhile', cancel._cancel,
        'only=JobStatusChoices.WAITING_STATE_CHOICES', "only=('pending', 'scheduled', 'running')", told.canceled_late,
    ),
    Mutation(
        'A stop marks a job that waits', stop.stop, '.running().filter(pk=job.pk)', '.filter(pk=job.pk)',
        told.stopped_early,
    ),
    Mutation('A stop is written twice', stop.mark_stopping, '.filter(stopping=None)', '', told.stopped_twice),
    Mutation(
        'A delivery ignores that the job was claimed', deliver.make_deliverable,
        'pk=job.pk, status=job.status, deliveries=job.deliveries, due=job.due', 'pk=job.pk', told.delivered_late,
    ),
    Mutation(
        'A gate opens for a job that was canceled', dependencies.settle_dependent,
        f'filter(pk=dependent.pk, {_PENDING}, due=None)', 'filter(pk=dependent.pk)', told.settled_late,
    ),
    Mutation('A pause takes back a job that runs', wait.put_back, f', {_PENDING}', '', told.paused_late),
    Mutation('A paused queue takes back a job that runs', wait.hold_back, f'{_PENDING}, ', '', told.held_back_late),
    Mutation('A change of the schedule moves a job that runs', wait.reschedule, '.waiting()', '', told.moved_late),
    Mutation(
        'A requeue of a limited job waits for no slot', requeue.waiting_values, 'if is_limited(job):', 'if False:',
        told.requeued_limited,
    ),
    Mutation(
        'A slot is given that is not free', admission._left, 'return allowed.most -', 'return 1 + allowed.most -',
        told.enqueued_beyond,
    ),
    Mutation(
        'A pause takes a job back that then waits for no slot', wait.put_back, 'held = is_limited(job)', 'held = False',
        told.paused_limited,
    ),
)  # fmt: skip


@contextmanager
def mutated(mutation: Mutation) -> Iterator[None]:
    """Replace the code of the function within the block."""
    function: Any = inspect.unwrap(mutation.function)
    source = textwrap.dedent(inspect.getsource(function))
    source = source[source.index('def ') :]  # without decorators
    assert mutation.before in source, f'{function.__qualname__} has no {mutation.before!r} any more'
    names: dict[str, Any] = {}
    module = sys.modules[function.__module__]
    code = compile(source.replace(mutation.before, mutation.after), module.__file__ or '', 'exec')
    exec(code, vars(module), names)
    before = function.__code__
    function.__code__ = names[function.__name__].__code__
    claim_sql._statement.cache_clear()
    try:
        yield
    finally:
        function.__code__ = before
        claim_sql._statement.cache_clear()

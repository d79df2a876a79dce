"""Mutations: the code of the package with one condition dropped, to see whether the simulation notices."""

import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from netbox_jobs.core.claim import Claim
from netbox_jobs.enqueue import changes, schedule_actions
from netbox_jobs.lifecycle import cancel, claim_sql, deliver, dependencies, finish, requeue, stop, wait


class Mutation(NamedTuple):
    """A function, a text in it, and what stands there instead."""

    what: str
    function: Callable[..., Any]
    before: str
    after: str


MUTATIONS = (
    Mutation(
        'the claim takes jobs that do not wait', claim_sql._claimable, 'status=JobStatusChoices.STATUS_PENDING, ', ''
    ),
    Mutation('the claim takes jobs that depend on others', claim_sql._claimable, ', due__isnull=False', ''),
    Mutation('the claim does not count the attempt', claim_sql.values, "F('attempt') + 1", "F('attempt')"),
    Mutation('the claim keeps the slot', claim_sql.values, "'slot': None,", ''),
    Mutation(
        'a run writes although it has lost its claim', Claim.conditions.fget,  # type: ignore[attr-defined]
        "{'status': JobStatusChoices.STATUS_RUNNING, 'worker': self.token, 'attempt': self.attempt}", '{}',
    ),
    Mutation('the end keeps the claim', finish.outcome_values, "'worker': None,", ''),
    Mutation('a requeue ignores a stop', requeue.requeue, 'rows.filter(stopping=None)', 'rows'),
    Mutation(
        'a requeue ignores the claim', requeue.requeue, '**(claim.conditions if claim is not None else {})', ''
    ),
    Mutation('a release counts as an attempt', requeue._values, "'attempt': F('attempt') - 1, ", ''),
    Mutation(
        'a cancel ends running jobs', cancel._cancel, 'only=JobStatusChoices.WAITING_STATE_CHOICES',
        "only=('pending', 'scheduled', 'running', 'completed')",
    ),
    Mutation('a stop marks jobs that do not run', stop.stop, '.running().filter(pk=job.pk)', '.filter(pk=job.pk)'),
    Mutation('a stop is written twice', stop.mark_stopping, '.filter(stopping=None)', ''),
    Mutation(
        'a delivery ignores what the job is by now', deliver.make_deliverable,
        'pk=job.pk, status=job.status, deliveries=job.deliveries, due=job.due', 'pk=job.pk',
    ),
    Mutation('a gate opens for jobs that have ended', dependencies.settle_dependent,
             'filter(pk=dependent.pk, status=JobStatusChoices.STATUS_PENDING, due=None)', 'filter(pk=dependent.pk)'),
    Mutation('a pause takes running jobs back', wait.put_back, ', status=JobStatusChoices.STATUS_PENDING', ''),
    Mutation('a change of the schedule moves running jobs', wait.reschedule, '.waiting()', ''),
    Mutation(
        'the end of a schedule deletes what runs', schedule_actions.end,
        'lock_waiting(Job.objects.using(using).filter(schedule_id=schedule.pk))',
        'Job.objects.using(using).filter(schedule_id=schedule.pk)',
    ),
    Mutation(
        'enqueue_once() changes a job that was claimed meanwhile', changes.update_waiting,
        'filter(pk=job.pk, slot=job.slot, deliveries=job.deliveries)', 'filter(pk=job.pk)',
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

"""A waiting job is brought up to date with what `enqueue_once()` names, in one conditional UPDATE."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from ..broker import delivery
from ..choices import JobStatusChoices
from ..core import arguments, clock, contexts, encryption, limits, order, runner_options, transactions
from ..exceptions import ArgumentsRefused
from ..lifecycle.deliver import deliver_after_commit
from ..lifecycle.dependencies import depend
from ..models import Job, Schedule, database
from ..models.schedules import SHARED
from .request import EnqueueRequest

#: What a delivery depends on: RQ knows the time limit, its options and the queue; a slot is one of a limit.
_KNOWN_TO_RQ = {'job_timeout', 'options', 'queue_name', 'priority', 'limit', 'rate', 'fair_key'}


def changes_of(job: Job, request: EnqueueRequest, given: Collection[str]) -> dict[str, Any]:
    """Return the columns that the request names and that the row has otherwise."""
    given = set(given)
    changes = {name: getattr(request, name) for name in given & (SHARED | {'interval'})}
    if 'retry' in given:
        changes['retry_policy'] = request.retry
    if 'priority' in given:
        changes['priority'] = request.priority
    if 'schedule_at' in given:
        changes['scheduled'] = request.scheduled
    if request.options:
        changes['options'] = job.options | request.options
    changes = {name: value for name, value in changes.items() if getattr(job, name) != value}
    if 'kwargs' in given:
        hidden, encrypted = runner_options.sensitive(request.kind), encryption.is_wanted(request.kind)
        stored = arguments.encode(request.kwargs, hidden, encrypted=encrypted)
        if not arguments.same(stored, job.arguments_format, bytes(job.arguments)):
            changes |= {
                'arguments': stored.payload,
                'arguments_format': stored.format,
                'arguments_shown': stored.shown,
                'arguments_signature': stored.signature(job.job_id, job.runner, contexts.signed_text(job.context)),
            }
            changes |= {name: value for name, value in request.limit_values.items() if getattr(job, name) != value}
    return changes


def update_waiting(job: Job, schedule: Schedule, request: EnqueueRequest, given: Collection[str]) -> bool:
    """Bring a waiting job up to date; return False if it has been claimed in the meantime."""
    changes = changes_of(job, request, given)
    waits_for_others = bool(request.dependencies) and not _depends_on(job, request.dependencies)
    if not changes and not waits_for_others:
        return True
    queue, delivery_id = job.queue_name, job.delivery_id
    changes |= _renewed_context(job, request, changes)
    changes |= _status_changes(job, schedule, request, changes, waits_for_others)
    redelivered = changes.get('deliveries', job.deliveries) > job.deliveries
    rows = Job.objects.using(job._state.db).filter(pk=job.pk, slot=job.slot, deliveries=job.deliveries)
    if not rows.update(**changes):
        return False
    had_delivery = job.status == JobStatusChoices.STATUS_PENDING
    for name, value in changes.items():
        setattr(job, name, value)
    if waits_for_others:
        depend(job, request.dependencies, job._state.db or database())
    if had_delivery and (redelivered or waits_for_others or job.status == JobStatusChoices.STATUS_SCHEDULED):
        transactions.after_commit(lambda: delivery.withdraw(queue, [delivery_id]), using=job._state.db)
    if redelivered or job.held:
        deliver_after_commit(job)
    return True


def _renewed_context(job: Job, request: EnqueueRequest, changes: dict[str, Any]) -> dict[str, Any]:
    """Return the columns of the context of a call that changes a waiting job: the job does what this call asks."""
    if request.context == job.context:
        return {}
    payload = bytes(changes.get('arguments', job.arguments))
    if 'arguments' not in changes:  # what does not carry our signature is not signed anew
        before = contexts.signed_text(job.context)
        try:
            arguments.verify(job.arguments_format, payload, job.arguments_signature, job.job_id, job.runner, before)
        except ArgumentsRefused:
            return {}
    stored = arguments.Stored(changes.get('arguments_format', job.arguments_format), payload, '')
    signature = stored.signature(job.job_id, job.runner, contexts.signed_text(request.context))
    return {'context': request.context, 'arguments_signature': signature}


def _status_changes(
    job: Job, schedule: Schedule, request: EnqueueRequest, changes: dict[str, Any], waits_for_others: bool
) -> dict[str, Any]:
    """Return what the changes of a waiting job mean for its status, its time and its deliveries."""
    if waits_for_others:
        return {'status': JobStatusChoices.STATUS_PENDING, 'due': None}
    named = any(changes.get(name, getattr(job, name)) for name in ('limit', 'rate', 'fair_key'))
    named = named or changes.get('priority', job.priority) != order.DEFAULT
    held = named or limits.of_queue(changes.get('queue_name', job.queue_name)) is not None
    own = {'held': held} if held or job.held else {}
    if job.due is None and job.status == JobStatusChoices.STATUS_PENDING:
        return own
    known_to_rq = bool(changes.keys() & _KNOWN_TO_RQ)
    redeliver = known_to_rq and (job.status == JobStatusChoices.STATUS_PENDING or job.due is None)
    if 'scheduled' in changes and request.scheduled is not None:
        due = clock.to_ms(request.scheduled)
        if due > clock.now_ms() or schedule.paused:
            return {'status': JobStatusChoices.STATUS_SCHEDULED, 'due': due, **own}
        redeliver = redeliver or job.due is not None  # else it waits in line already
    if not redeliver:
        return own if job.status == JobStatusChoices.STATUS_SCHEDULED else {}
    if held or job.follows_enqueued():  # it is delivered when it has a slot, or recovery does it when that has ended
        return {'status': JobStatusChoices.STATUS_SCHEDULED, 'due': clock.now_ms(), **own}
    deliveries = job.deliveries + 1
    return {'status': JobStatusChoices.STATUS_PENDING, 'due': clock.now_ms(), 'deliveries': deliveries, **own}


def _depends_on(job: Job, job_ids: list[UUID]) -> bool:
    return set(job.dependencies.using(job._state.db).values_list('job_id', flat=True)) == set(job_ids)

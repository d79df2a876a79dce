"""From a call to a stored job."""

from collections.abc import Callable
from typing import Any

from django.utils import timezone

from ..choices import JobStatusChoices
from ..core import identity, import_path, middleware, queues, transactions
from ..core.middleware import EnqueueCall
from ..lifecycle import ahead, at_once, reservation
from ..lifecycle.claim import start_claimed
from ..lifecycle.deliver import deliver_after_commit, look_after_commit
from ..lifecycle.dependencies import depend
from ..lifecycle.reservation import UniqueSlot
from ..models import Job, database, services
from . import late, unique
from .identify import identify_callable
from .inherit import inherit, is_about_the_same
from .request import EnqueueRequest, add_dependencies, check
from .rows import insert_job, new_job, new_schedule
from .successor import predecessor_of, succeed
from .uniqueness import insert_unique
from .unsaved import call_transaction

#: The options that `Job.enqueue()` has as None if they are omitted.
_OMITTED = ('instance', 'user', 'schedule_at', 'queue_name', 'notifications')


@services.enqueue.provide
def enqueue(func: Callable[..., Any], given: dict[str, Any]) -> Job:
    """Check a call and store its job, or run it with `immediate`; see `Job.enqueue()`."""
    if not middleware.configured():
        return _enqueue(func, given)
    named = {name: value for name, value in given.items() if value is not None or name not in _OMITTED}
    call = EnqueueCall(identify_callable(func, importable=False)[0], [named])
    (job,) = middleware.around_enqueue(call, lambda: [_enqueue(func, each) for each in call.calls])
    return job


def _enqueue(func: Callable[..., Any], given: dict[str, Any]) -> Job:
    request = check(func, given)
    return run_now(request) if given.get('immediate') else insert(request)


def insert(request: EnqueueRequest) -> Job:
    """Insert the job of a request, and deliver it after the commit if it is due."""
    join_workflow(request)
    if (slot := reservation.unique_slot(request.key)) is not None:
        return unique.fill(slot, request) if isinstance(slot, UniqueSlot) else late.insert(slot, request)
    request.check_complete()
    if request.recurrence and (predecessor := predecessor_of(request)):
        return succeed(request, predecessor)
    if (retried := reservation.retried()) is not None and _retries(request, retried):
        inherit(request, retried, None)
        queues.check(request.queue_name)
    using = database()
    if request.unique is None:
        return _insert_new(request, using)
    return transactions.again(
        lambda: insert_unique(request, lambda: _insert_new(request, using), using, anyway=retried is not None), using
    )


def _insert_new(request: EnqueueRequest, using: str) -> Job:
    job = new_job(request)
    if not request.recurrence and not request.dependencies:
        place = _insert_held(job, request, using) if job.held else None
        if place is None:
            insert_job(job, request, using)
        elif not place.at_once:
            if place.look:
                look_after_commit(job)
            return job
    else:
        with call_transaction():
            if request.recurrence:
                schedule = new_schedule(request, job.job_id.hex)
                schedule.save(using=using)
                job.schedule, job.slot = schedule, schedule.pk
            insert_job(job, request, using)
            depend(job, request.dependencies, using)
    deliver_after_commit(job)
    return job


def _insert_held(job: Job, request: EnqueueRequest, using: str) -> ahead.Place | None:
    def insert_it() -> None:
        insert_job(job, request, using)

    return ahead.insert(job, insert_it, using) or at_once.insert(job, insert_it, using)


def join_workflow(request: EnqueueRequest) -> None:
    """Make a request that of a member, if a workflow adds it.

    Raises:
        ValueError: It recurs.
    """
    place = reservation.membership(request.runner)
    if place is None or request.workflow_id is not None:
        return
    if request.recurrence:
        raise ValueError(f'A member of a workflow runs once; {request.name} has an interval or a cron expression.')
    request.workflow_id, request.gated = place.workflow, place.gated
    request.user_id = request.user_id if request.user_id is not None else place.user_id
    add_dependencies(request, 'after', list(place.after))
    add_dependencies(request, 'on_failure_of', list(place.on_failure_of))
    if place.allow_failure:
        request.options['allow_failure'] = True


def run_now(request: EnqueueRequest) -> Job:
    """Insert the job of a request as running in this process, and run it before returning.

    Raises:
        ValueError: A workflow adds it.
    """
    if reservation.membership(request.runner) is not None:
        raise ValueError('A member of a workflow is run by a worker; add() takes no immediate=True.')
    request.check_complete()
    using = database()
    job = new_job(request, immediate=True)
    job.status, job.started = JobStatusChoices.STATUS_RUNNING, timezone.now()
    job.worker, job.attempt, job.deliveries = identity.process_token(), 1, 0
    with transactions.transacting(using):
        if request.recurrence:
            job.schedule = new_schedule(request, job.job_id.hex)
            job.schedule.save(using=using)
        job.save(using=using)
    start_claimed(job)
    services.run_immediately(job, request.target, request.kwargs)
    return job


def _retries(request: EnqueueRequest, job: Job) -> bool:
    """Return whether the request is for what the retried job was; its runner may have another path by now."""
    paths = (job.runner, import_path.path_of(import_path.resolve(job.runner)))
    return request.runner in paths and is_about_the_same(request, job, job.runner)

"""New rows of a checked request: the job, its arguments, and its schedule."""

from typing import Any
from uuid import UUID, uuid4

from django.utils import timezone

from ..choices import JobStatusChoices
from ..core import arguments, clock, contexts, encryption, limits, order, runner_options
from ..core.import_path import path_of
from ..core.shown import show, show_names
from ..models import Job, Schedule, cached_insert
from .request import EnqueueRequest

_FIELDS: Any = Job._meta.concrete_fields
_PLACES = {field.attname: place for place, field in enumerate(_FIELDS)}
_DEFAULTS = [field.default if field.has_default() else field.get_default() for field in _FIELDS]


def new_job(request: EnqueueRequest, *, immediate: bool = False, job_id: UUID | None = None) -> Job:
    """Return the unsaved row of a request.

    Raises:
        TypeError: An argument cannot be stored.
    """
    # By position, which takes a fraction of the time that it takes by name.
    row: Any = [default() if callable(default) else default for default in _DEFAULTS]
    for name, value in _values(request, immediate, job_id or uuid4()).items():
        row[_PLACES[name]] = value
    job = Job(*row)
    if request.object_type is not None:
        job.object_type = request.object_type  # the object itself, so that nothing looks it up
    return job


def _values(request: EnqueueRequest, immediate: bool, job_id: UUID) -> dict[str, Any]:
    """Return the columns that are not defaults."""
    values: dict[str, Any] = {
        'job_id': job_id,
        'object_type_id': request.object_type.pk if request.object_type is not None else None,
        'object_id': request.object_id,
        'object_db': request.object_db,
        'tenant': request.tenant,
        'name': request.name,
        'runner': request.runner,
        'interval': request.interval,
        'user_id': request.user_id,
        'queue_name': request.queue_name,
        'notifications': request.notifications,
        'job_timeout': request.job_timeout,
        'options': request.options,
        'retry_policy': request.retry,
        'workflow_id': request.workflow_id,
    }
    if request.scheduled is None and not immediate:
        request.scheduled = request.recurrence.first(timezone.now())
    values['scheduled'] = request.scheduled
    limited = {} if immediate else request.limit_values
    if request.priority != order.DEFAULT and not immediate:
        limited = {**limited, 'priority': request.priority}
    if limited or (not immediate and limits.of_queue(request.queue_name) is not None):
        values |= {**limited, 'held': True}
    now = clock.now_ms()
    due = now if request.scheduled is None else clock.to_ms(request.scheduled)
    if request.waits:
        values['due'] = None
    elif due > now or 'held' in values:
        values |= {'status': JobStatusChoices.STATUS_SCHEDULED, 'due': due}
    else:
        values |= {'due': now, 'deliveries': 1}
    required = not immediate or bool(request.recurrence)
    return values | stored_arguments(
        job_id, request.runner, request.kwargs, request.context, kind=request.kind, required=required
    )


def stored_arguments(
    job_id: UUID,
    path: str,
    kwargs: dict[str, Any],
    context: dict[str, Any],
    *,
    kind: Any = None,
    required: bool = True,
) -> dict[str, Any]:
    """Return the columns of the arguments of a job, and of its context, which are signed together.

    Args:
        job_id: The job's `job_id`, which the signature covers.
        path: The path of the callable, which it covers too.
        kwargs: The arguments.
        context: What the call was made in.
        kind: The runner, whose `Meta` says what is not to be shown, and whether they are encrypted.
        required: Whether they must be stored; False for a run in this process, which does not read them.

    Raises:
        TypeError: They cannot be stored, and must be.
    """
    sensitive, encrypted = runner_options.sensitive(kind), encryption.is_wanted(kind)
    try:
        stored = arguments.encode(kwargs, sensitive, encrypted=encrypted)
    except TypeError:
        if required:
            raise
        shown = show_names(kwargs) if encrypted else show(kwargs, sensitive)
        # The format says that the data of the job are to be encrypted.
        return {'arguments_shown': shown} | ({'arguments_format': f'pickle{encryption.SUFFIX}'} if encrypted else {})
    return {
        'arguments': stored.payload,
        'arguments_format': stored.format,
        'arguments_shown': stored.shown,
        'arguments_signature': stored.signature(job_id, path, contexts.signed_text(context)),
        'context': context,
    }


def new_schedule(request: EnqueueRequest, key: str) -> Schedule:
    """Return the unsaved schedule of a request."""
    return Schedule(
        key=key,
        runner=request.runner,
        name=request.name,
        object_type=request.object_type,
        object_id=request.object_id,
        object_db=request.object_db,
        tenant=request.tenant,
        interval=request.interval,
        cron=request.cron,
        time_zone=request.time_zone,
        queue_name=request.queue_name,
        user_id=request.user_id,
        notifications=request.notifications,
        job_timeout=request.job_timeout,
    )


def insert_job(job: Job, request: EnqueueRequest, using: str) -> None:
    """Insert the row of a request, with what it waits for."""
    cached_insert.insert(job, using)
    watch_unsaved(job, request)


def watch_unsaved(job: Job, request: EnqueueRequest) -> None:
    """Have an inserted job wait for its object, if that is not saved."""
    if request.unsaved is not None:
        request.unsaved.add(job)


def adopt(job: Job, runner: type[Any], kwargs: dict[str, Any]) -> None:
    """Make a row that was made by hand one of this runner's, with these arguments, so that it can recur."""
    if job.runner:
        return
    path, context = path_of(runner), contexts.capture()
    values = {'runner': path, 'tenant': contexts.tenant_of(context)}
    values |= stored_arguments(job.job_id, path, kwargs, context, kind=runner, required=False)
    for name, value in values.items():
        setattr(job, name, value)
    Job.objects.using(job._state.db).filter(pk=job.pk, runner='').update(**values)

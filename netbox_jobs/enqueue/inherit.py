"""What a request omits is taken from an earlier job of the same runner and object."""

from collections.abc import Collection
from contextlib import suppress

from ..core import contexts
from ..exceptions import ArgumentsRefused, ArgumentsUnknown, InstanceGone
from ..models import Job
from .request import EnqueueRequest


def inherit(request: EnqueueRequest, job: Job, named: Collection[str] | None, *, wholly: bool = False) -> None:
    """Fill in what a request omits, as a job of the same runner and object has it.

    Args:
        request: The request.
        job: The job.
        named: The fields that the request keeps; None if those of the job count, whatever the runner's `enqueue()` has
            made of the request.
        wholly: Whether also the name, the user, the notifications and the arguments are taken.

    Raises:
        InstanceGone: An object among the arguments of a running job no longer exists.
    """
    if named is None:
        request.context, request.tenant = contexts.inherited(job.context, request.context), job.tenant
    own = ('depends_on', 'allow_failure', 'on_failure_of')
    options = {name: value for name, value in job.options.items() if name not in own}
    request.options = request.options | options if named is None else options | request.options
    fields = {'job_timeout': 'job_timeout', 'retry': 'retry_policy', 'priority': 'priority'}
    if job.queue_name:  # a row made by hand need not have one
        fields['queue_name'] = 'queue_name'
    if wholly:
        fields |= {name: name for name in ('name', 'notifications', 'user_id')}
        if 'kwargs' not in (named or ()):
            # Those of a chain that has stopped may be what stopped it; those of a job that waits are kept anyway.
            kept = (InstanceGone, ArgumentsUnknown) if job.ended or job.slot is not None else ()
            with suppress(ArgumentsRefused, *kept):
                request.kwargs = job.get_arguments()
    for name in fields.keys() - set(named or ()):
        setattr(request, name, getattr(job, fields[name]))


def is_about_the_same(request: EnqueueRequest, job: Job, runner: str | None = None) -> bool:
    """Return whether a request is for the runner and the object of a job.

    Args:
        request: The request.
        job: The job.
        runner: The path that the request's runner counts as; its own if omitted.
    """
    if request.unsaved is not None:
        return False
    object_type_id = request.object_type.pk if request.object_type else None
    theirs = (job.runner, job.object_type_id, job.object_id, job.object_db, job.tenant)
    own = (object_type_id, request.object_id, request.object_db, request.tenant)
    return theirs == (runner or request.runner, *own)

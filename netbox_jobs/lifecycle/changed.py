"""The arguments that `handle()` has passed to `run()` instead of those of the row, kept for a successor made later."""

import logging
from base64 import b64decode, b64encode
from typing import Any

from ..core import arguments, contexts, encryption, runs
from ..models import Job

logger = logging.getLogger('netbox_jobs')

#: Their name among the values of a `PendingChange`.
ARGUMENTS = 'arguments'


def kept_arguments(job: Job) -> dict[str, Any]:
    """Return what a `PendingChange` keeps of the arguments of a run; nothing if they are those of the row."""
    run = runs.run_of(job)
    if run is None or run.changed_arguments is None or (job.schedule_id is None and job.interval is None):
        return {}
    try:
        stored = arguments.encode(run.changed_arguments, encrypted=encryption.is_encrypted(job.arguments_format))
    except (TypeError, ValueError) as error:
        logger.error('Job %s (%s): its successor receives the arguments of its row. %s', job.pk, job.name, error)
        return {}
    signature = stored.signature(job.job_id, _path(job), contexts.signed_text(job.context))
    return {ARGUMENTS: [stored.format, b64encode(stored.payload).decode(), signature]}


def read_arguments(job: Job, kept: list[str]) -> dict[str, Any]:
    """Return the arguments that were kept.

    Raises:
        ArgumentsRefused: They do not carry our signature.
        InstanceGone: An object among them no longer exists.
    """
    form, payload, signature = kept
    context = contexts.signed_text(job.context)
    return arguments.decode(form, b64decode(payload), signature, job.job_id, _path(job), context)


def _path(job: Job) -> str:
    return f'changed {job.runner}'

"""The finished steps of a job: written under the claim, read by later attempts, and taken over by a retry by hand."""

from datetime import datetime
from hashlib import sha256
from typing import Any

from django.db import transaction
from django.utils import timezone

from ..choices import JobStatusChoices
from ..core import arguments, encryption, runs
from ..core.claim import Claim
from ..exceptions import AlreadyClaimed
from ..models import Job, JobStep, database

_LONGEST_NAME = 200


def check_name(name: object) -> str:
    """Return the name of a step.

    Raises:
        ValueError: It is no text of 1 to 200 characters.
    """
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME:
        raise ValueError(f'The name of a step is {name!r:.100}; expected a text of 1 to {_LONGEST_NAME} characters.')
    return name


def find(job: Job, name: str) -> JobStep | None:
    """Return the finished step of this name."""
    return JobStep.objects.using(job._state.db).filter(job=job.pk, key=_key(name)).first()


def result_of(job: Job, step: JobStep) -> Any:
    """Return the decoded result of a step.

    Raises:
        ArgumentsRefused: It does not carry our signature.
        InstanceGone: An object in it no longer exists.
    """
    path = path_of(job, step.name)
    kept = arguments.decode(step.result_format, bytes(step.result), step.result_signature, job.job_id, path, '')
    return kept.get('result')


def store(job: Job, claim: Claim, name: str, started: datetime, result: Any) -> None:
    """Store a finished step, in a transaction, as long as the claim holds.

    Raises:
        AlreadyClaimed: The claim is lost: another worker runs the job, or recovery has ended it.
        TypeError, ValueError: The result cannot be stored.
    """
    encrypted = encryption.is_encrypted(job.arguments_format)
    stored = arguments.encode({} if result is None else {'result': result}, encrypted=encrypted)
    using = job._state.db or database()
    with transaction.atomic(using=using):
        held = Job.objects.using(using).filter(pk=job.pk, **claim.conditions).select_for_update()
        if not held.values_list('pk').first():
            raise AlreadyClaimed(
                f'Job {job.pk} ({job.name}) is not run by this process any more; its step {name!r} is not stored.'
            )
        steps = JobStep.objects.using(using)
        if steps.filter(job=job.pk, key=_key(name)).exists():  # the commit came through, and its answer did not
            return
        steps.create(
            job_id=job.pk,
            key=_key(name),
            name=name,
            attempt=claim.attempt,
            started=started,
            completed=timezone.now(),
            result=stored.payload,
            result_format=stored.format,
            result_signature=stored.signature(job.job_id, path_of(job, name), ''),
            result_shown=runs.masked(job, stored.shown.removeprefix('result=')),
        )


def take_over(new: Job, job: Job) -> None:
    """Have a new job that retries another one continue after the steps which that has finished.

    A job that has completed is done again as a whole.
    """
    if job.status == JobStatusChoices.STATUS_COMPLETED:
        return
    rows = []
    for step in JobStep.objects.using(job._state.db).filter(job=job.pk).order_by('pk'):
        payload, path = bytes(step.result), path_of(job, step.name)
        arguments.verify(step.result_format, payload, step.result_signature, job.job_id, path, '')
        stored = arguments.Stored(step.result_format, payload, step.result_shown)
        step.result_signature = stored.signature(new.job_id, path_of(new, step.name), '')
        step.pk, step.job_id = None, new.pk
        rows.append(step)
    if rows:
        JobStep.objects.using(new._state.db).bulk_create(rows, batch_size=100)


def _key(name: str) -> str:
    return sha256(name.encode('utf-8', 'backslashreplace')).hexdigest()


def path_of(job: Job, name: str) -> str:
    """Return what the signature of a step covers in place of the path of the callable."""
    return f'{job.runner} step {_key(name)}'

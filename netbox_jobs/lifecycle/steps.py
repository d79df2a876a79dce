"""The steps of a job: written under the claim, read by later attempts, and taken over by a retry by hand."""

from datetime import datetime
from hashlib import sha256
from math import inf
from typing import Any

from django.db import connections
from django.utils import timezone

from ..choices import JobStatusChoices
from ..core import arguments, encryption, runs, transactions
from ..core.claim import Claim
from ..exceptions import AlreadyClaimed, StepsChanged
from ..models import Job, JobStep, database
from .locks import JobLocked, poll_lock


def check_version(job: Job, version: str) -> None:
    """Check that a job has steps of this version of its code alone.

    Raises:
        StepsChanged: It has others.
    """
    others = JobStep.objects.using(job._state.db).filter(job=job.pk).exclude(version=version)
    found = others.values_list('version', flat=True).first()
    if found is not None:
        raise StepsChanged(
            f'Job {job.pk} ({job.name}) has steps of {_said(found)}, and its code is of {_said(version)} now. '
            'Retry it by hand, and it begins anew.'
        )


def _said(version: str) -> str:
    return f'version {version}' if version else 'no version'


def check_claim(job: Job, claim: Claim, otherwise: str, *, patience: float = inf) -> None:
    """Lock the row of a job until the transaction ends, as long as the claim holds.

    It tries again and again instead of waiting in the database, so that a stop and the time limit of the job end it.

    Args:
        job: The job.
        claim: Its claim.
        otherwise: What is not done if the claim is lost.
        patience: Seconds for which to try while another transaction keeps the row locked.

    Raises:
        AlreadyClaimed: The claim is lost: another worker runs the job, or recovery has ended it.
        JobLocked: Another transaction still keeps the row locked.
    """
    using = job._state.db or database()
    held = Job.objects.using(using).filter(pk=job.pk, **claim.conditions).only('pk')
    if connections[using].features.has_select_for_update_skip_locked:
        found = poll_lock(held, patience, JobLocked)
    else:
        found = held.select_for_update().first()
    if found is None:
        raise _not_ours(job, otherwise)


def _not_ours(job: Job, otherwise: str) -> AlreadyClaimed:
    return AlreadyClaimed(f'Job {job.pk} ({job.name}) is not run by this process any more; {otherwise}.')


def find(job: Job, name: str) -> JobStep | None:
    """Return the finished step of this name."""
    return find_key(job, _key(name))


def find_key(job: Job, key: str) -> JobStep | None:
    """Return the step, the sleep or the wait of this key."""
    return JobStep.objects.using(job._state.db).filter(job=job.pk, key=key).first()


def result_of(job: Job, step: JobStep) -> Any:
    """Return the decoded result of a step, or the payload of the signal of a wait.

    Raises:
        ArgumentsRefused: It does not carry our signature.
        InstanceGone: An object in it no longer exists.
    """
    path, payload = path_of(job, step), bytes(step.result)
    kept = arguments.decode(step.result_format, payload, step.result_signature, job.job_id, path, '')
    return next(iter(kept.values()), None)


def store(
    job: Job, claim: Claim, name: str, started: datetime, result: Any, version: str = '', *, patience: float = inf
) -> None:
    """Store a finished step, in a transaction, as long as the claim holds.

    Args:
        job: The job.
        claim: Its claim.
        name: Of the step.
        started: When it began.
        result: What it came to.
        version: `Meta.version` of its code.
        patience: Seconds for which to wait while another transaction keeps the row of the job locked. After that, the
            step is stored if the claim holds as far as others can see: it has happened, whatever that transaction does.

    Raises:
        AlreadyClaimed: The claim is lost: another worker runs the job, or recovery has ended it.
        TypeError, ValueError: The result cannot be stored.
    """
    encrypted = encryption.is_encrypted(job.arguments_format)
    what = f'The result of the step {name!r}'
    stored = arguments.encode({} if result is None else {'result': result}, encrypted=encrypted, what=what)
    using = job._state.db or database()
    otherwise, locked = f'its step {name!r} is not stored', True
    with transactions.transacting(using):
        try:
            check_claim(job, claim, otherwise, patience=patience)
        except JobLocked:
            locked = False
        steps = JobStep.objects.using(using)
        if steps.filter(job=job.pk, key=_key(name)).exists():  # the commit came through, and its answer did not
            return
        step = JobStep(job_id=job.pk, key=_key(name), name=name, version=version, attempt=claim.attempt)
        step.started, step.completed = started, timezone.now()
        step.result, step.result_format = stored.payload, stored.format
        step.result_shown = runs.masked(job, stored.shown.removeprefix('result='))
        step.result_signature = stored.signature(job.job_id, path_of(job, step), '')
        step.save(using=using, force_insert=True)
        # Last, so that a process that was suspended meanwhile stores nothing.
        if not locked and not Job.objects.using(using).filter(pk=job.pk, **claim.conditions).exists():
            raise _not_ours(job, otherwise)


def take_over(new: Job, job: Job, version: str) -> None:
    """Have a new job that retries another one continue after what that has finished, if that is of this version.

    A job that has completed is done again as a whole. A sleep that has begun is taken over as it is; a wait that is not
    finished, or whose time was over, begins anew.
    """
    if job.status == JobStatusChoices.STATUS_COMPLETED:
        return
    found = list(JobStep.objects.using(job._state.db).filter(job=job.pk).order_by('pk'))
    if any(step.version != version for step in found):
        return
    rows = []
    for step in found:
        if step.kind == JobStep.Kind.WAIT and not step.result_format:
            continue
        if step.result_format:
            payload, path = bytes(step.result), path_of(job, step)
            arguments.verify(step.result_format, payload, step.result_signature, job.job_id, path, '')
            stored = arguments.Stored(step.result_format, payload, step.result_shown)
            step.result_signature = stored.signature(new.job_id, path_of(new, step), '')
        step.pk, step.job_id, step.deliveries = None, new.pk, None
        rows.append(step)
    if rows:
        JobStep.objects.using(new._state.db).bulk_create(rows, batch_size=100)


def path_of(job: Job, step: JobStep) -> str:
    """Return what the signature of the result covers, beside the job: its code, and which step it is."""
    return f'{job.runner} step {_key(step.name) if step.kind == JobStep.Kind.STEP else step.key}'


def _key(name: str) -> str:
    return sha256(name.encode('utf-8', 'backslashreplace')).hexdigest()

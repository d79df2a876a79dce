"""Re-encryption: what the first key has not encrypted gets it, and what is to be encrypted since is encrypted.

Each job is a transaction of its own, under the locks that every change of it takes, and what is done already is passed
over: an interruption at any moment loses nothing, and the next call continues.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db.models import ExpressionWrapper, F, TextField

from ..choices import JobStatusChoices
from ..core import arguments, contexts, encryption, import_path, transactions
from ..core.shown import show_names
from ..exceptions import ArgumentsRefused, EncryptionKeyMissing, RunnerNotFound
from ..lifecycle import job_signals, steps
from ..models import Job, JobSignal, JobStep, Schedule, database

#: How many jobs are looked at in one query.
BATCH = 200


@dataclass
class Result:
    """What was done with the jobs that are encrypted, or are to be."""

    changed: int = 0
    #: How many have the first key already.
    current: int = 0
    #: How many run: they are left to the next call.
    running: int = 0
    #: The keys of jobs that none of the keys decrypts, or whose signature does not fit; the first hundred.
    refused: list[int] = field(default_factory=list)


def reencrypt(between: Callable[[Result], None] = lambda result: None) -> Result:
    """Encrypt everything with the first key.

    Args:
        between: Called between two batches, with what has been done so far.

    Raises:
        ImproperlyConfigured: There is no key.
    """
    if encryption.ring() is None:
        raise ImproperlyConfigured("NETBOX_JOBS['ENCRYPTION_KEYS'] has no key.")
    result, wanted = Result(), {}
    for batch in _batches():
        for pk, path, format in batch:
            if path not in wanted and (import_path.is_imported(path) or _is_signed(pk)):
                wanted[path] = _is_wanted(path)
            if encryption.is_encrypted(format) or wanted.get(path):
                _see_to(pk, result)
        between(result)
    return result


def _batches() -> Iterator[list[tuple[int, str, str]]]:
    after, rows = 0, Job.objects.using(database()).exclude(runner='').order_by('pk')
    while batch := list(rows.filter(pk__gt=after).values_list('pk', 'runner', 'arguments_format')[:BATCH]):
        yield batch
        after = batch[-1][0]


def _is_signed(pk: int) -> bool:
    job = Job.objects.using(database()).filter(pk=pk).first()
    return job is not None and job.is_signed


def _is_wanted(path: str) -> bool:
    try:
        target = import_path.resolve(path)
    except RunnerNotFound:
        return False
    return encryption.is_wanted(target)


def _see_to(pk: int, result: Result) -> None:
    using = database()
    try:
        done = transactions.retried(lambda: _reencrypt(pk, using), using)
    except (ArgumentsRefused, EncryptionKeyMissing):
        if len(result.refused) < 100:
            result.refused.append(pk)
        return
    if done is None:
        result.running += 1
    elif done:
        result.changed += 1
    else:
        result.current += 1


def _reencrypt(pk: int, using: str) -> bool | None:
    """Re-encrypt one job; return whether anything was to be changed, and None if it runs."""
    rows = Job.objects.using(using).filter(pk=pk)
    schedule = rows.values_list('schedule_id', flat=True).first()
    if schedule is not None:  # before the job, as everywhere
        Schedule.objects.using(using).select_for_update().filter(pk=schedule).first()
    raw = ExpressionWrapper(F('data'), output_field=TextField())
    job: Any = rows.select_for_update().annotate(raw=raw).first()
    if job is None:
        return False
    if job.status == JobStatusChoices.STATUS_RUNNING:
        return None
    values = {**_of_arguments(job), **_of_data(job)}
    if values:
        rows.update(**values)
    return any((_of_steps(job, using), _of_signals(job, using), values))


def _of_arguments(job: Job) -> dict[str, Any]:
    payload, format = bytes(job.arguments), job.arguments_format
    if not format:  # a run in this process, whose arguments could not be stored
        return {}
    renewed = _renewed(payload, format)
    if renewed is None:
        return {}
    context = contexts.signed_text(job.context)
    arguments.verify(format, payload, job.arguments_signature, job.job_id, job.runner, context)
    shown = job.arguments_shown
    if not encryption.is_encrypted(format):
        names = (line.partition('=')[0] for line in shown.splitlines())
        shown = show_names(name for name in names if name.isidentifier())
    stored = arguments.Stored(*renewed, shown)
    return {
        'arguments': stored.payload,
        'arguments_format': stored.format,
        'arguments_shown': stored.shown,
        'arguments_signature': stored.signature(job.job_id, job.runner, context),
    }


def _of_data(job: Any) -> dict[str, Any]:
    value = json.loads(job.raw) if isinstance(job.raw, str) else job.raw
    token = encryption.token_of(value)
    if value is None or (token is not None and encryption.ring().is_current(token)):
        return {}
    plain = value if token is None else json.loads(encryption.decrypt(token))
    return {'data': encryption.encrypt_data(plain)}


def _of_steps(job: Job, using: str) -> bool:
    changed = False
    for step in JobStep.objects.using(using).filter(job=job.pk):
        payload, format = bytes(step.result), step.result_format
        if not format:  # a sleep, or a wait that no signal has ended
            continue
        renewed = _renewed(payload, format)
        if renewed is None:
            continue
        path = steps.path_of(job, step)
        arguments.verify(format, payload, step.result_signature, job.job_id, path, '')
        stored = arguments.Stored(*renewed, '')
        JobStep.objects.using(using).filter(pk=step.pk).update(
            result=stored.payload,
            result_format=stored.format,
            result_signature=stored.signature(job.job_id, path, ''),
            result_shown='[encrypted]',
        )
        changed = True
    return changed


def _of_signals(job: Job, using: str) -> bool:
    changed = False
    for signal in JobSignal.objects.using(using).filter(job=job.pk):
        renewed = _renewed(bytes(signal.payload), signal.payload_format)
        if renewed is None:
            continue
        job_signals.verified(job, signal)
        stored = arguments.Stored(*renewed, '')
        JobSignal.objects.using(using).filter(pk=signal.pk).update(
            payload=stored.payload,
            payload_format=stored.format,
            payload_signature=job_signals.signature(job, signal, stored),
            payload_shown='[encrypted]',
        )
        changed = True
    return changed


def _renewed(payload: bytes, format: str) -> tuple[str, bytes] | None:
    """Return the format and the payload with the first key; None if they have it."""
    if not encryption.is_encrypted(format):
        return format + encryption.SUFFIX, encryption.encrypt(payload)
    if encryption.ring().is_current(payload):
        return None
    return format, encryption.encrypt(encryption.decrypt(payload))

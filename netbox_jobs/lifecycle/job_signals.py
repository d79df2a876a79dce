"""Signals to jobs: stored by the sender, taken by `wait_for()` under the claim.

A job that waits for one is woken after the commit of the sender, and after that of its own: whichever is the later one
sees both. Recovery wakes it if that process has died in between.
"""

from hashlib import sha256
from typing import Any

from django.db.models import Exists, F, OuterRef
from django.utils import timezone

from ..broker import delivery
from ..choices import JobStatusChoices
from ..core import arguments, clock, encryption, runs, transactions
from ..core.claim import Claim
from ..core.suspension import Suspension
from ..core.text import check_name
from ..exceptions import JobEnded
from ..models import Job, JobSignal, JobStep, cached_sql, database, services
from . import deliver, steps
from .locks import JobLocked

_BATCH = 500


@services.signal.provide
def send(job: Job, name: str, payload: Any) -> None:
    """Store a signal in the caller's transaction, and wake the job after its commit; see `Job.signal()`."""
    name = check_name('signal', name)
    encrypted = encryption.is_encrypted(job.arguments_format)
    what = f'The payload of the signal {name!r}'
    stored = arguments.encode({} if payload is None else {'payload': payload}, encrypted=encrypted, what=what)
    using, key = job._state.db or database(), key_of(name)
    status = Job.objects.using(using).filter(pk=job.pk).values_list('status', flat=True).first()
    if status is None:
        raise Job.DoesNotExist(f'Job {job.pk} ({job.name}) cannot be signaled: its row has been deleted.')
    if status in JobStatusChoices.TERMINAL_STATE_CHOICES:
        raise JobEnded(
            f'Job {job.pk} ({job.name}) is {status}; only a job that has not ended can receive the signal {name!r}.'
        )
    JobSignal.objects.using(using).create(
        job_id=job.pk,
        key=key,
        name=name,
        payload=stored.payload,
        payload_format=stored.format,
        payload_signature=stored.signature(job.job_id, _path(key), ''),
        payload_shown=stored.shown.removeprefix('payload='),
    )
    transactions.after_commit(lambda: wake(job.pk, using), using=using)


def key_of(name: str) -> str:
    """Return the hash of the name of a signal."""
    return sha256(name.encode('utf-8', 'backslashreplace')).hexdigest()


def receive(job: Job, claim: Claim, wait: Suspension) -> JobStep | None:
    """Take the signal that a run waits for, or record that its time is over, as long as the claim holds.

    Returns:
        The finished wait; None if the signal has not come, and the time is not over. None as well if another
        transaction keeps the row of the job locked: the run is left, and continues when the row is free.

    Raises:
        AlreadyClaimed: The claim is lost.
        ArgumentsRefused: The payload does not carry our signature.
    """
    using = job._state.db or database()
    try:
        return transactions.retried(lambda: _receive(job, claim, wait, using), using)
    except JobLocked:
        return None


def _receive(job: Job, claim: Claim, wait: Suspension, using: str) -> JobStep | None:
    otherwise = f'it does not receive the signal {wait.name!r}'
    steps.check_claim(job, claim, otherwise, patience=cached_sql.PATIENCE)
    rows = JobStep.objects.using(using)
    row = rows.filter(job=job.pk, key=wait.key).first()
    if row is not None and row.completed is not None:  # the commit came through, and its answer did not
        return row
    found = JobSignal.objects.using(using).filter(job=job.pk, key=key_of(wait.name)).order_by('pk').first()
    if found is None and (wait.until is None or wait.until > clock.now_ms()):
        return None
    if row is None:
        row = JobStep(job_id=job.pk, key=wait.key, kind=wait.kind, name=wait.name, version=wait.version)
        row.started, row.until = wait.started, wait.until
    row.attempt, row.completed, row.deliveries = claim.attempt, timezone.now(), None
    if found is not None:
        result = verified(job, found)
        row.result, row.result_format = result.payload, result.format
        row.result_shown = runs.masked(job, result.shown)
        row.result_signature = result.signature(job.job_id, steps.path_of(job, row), '')
        found.delete()
    row.save(using=using)
    return row


def verified(job: Job, signal: JobSignal) -> arguments.Stored:
    """Return the payload of a signal, whose signature is checked.

    Raises:
        ArgumentsRefused: It does not carry our signature.
    """
    payload = bytes(signal.payload)
    path = _path(signal.key)
    arguments.verify(signal.payload_format, payload, signal.payload_signature, job.job_id, path, '')
    return arguments.Stored(signal.payload_format, payload, signal.payload_shown)


def signature(job: Job, signal: JobSignal, stored: arguments.Stored) -> str:
    """Return the signature of another form of the payload of a signal, or of one that another job is to receive."""
    return stored.signature(job.job_id, _path(signal.key), '')


def take_over(new: Job, job: Job) -> None:
    """Have a new job that retries another one receive the signals that that has not received."""
    rows = []
    for signal in JobSignal.objects.using(job._state.db).filter(job=job.pk).order_by('pk'):
        signal.payload_signature = signature(new, signal, verified(job, signal))
        signal.pk, signal.job_id = None, new.pk
        rows.append(signal)
    if rows:
        JobSignal.objects.using(new._state.db).bulk_create(rows, batch_size=100)


def wait_of(job: Job) -> JobStep | None:
    """Return the sleep or the wait that a job was given back for, if that is what it waits for now."""
    if job.status != JobStatusChoices.STATUS_SCHEDULED or not job.deliveries:
        return None
    rows = JobStep.objects.using(job._state.db).filter(job=job.pk, deliveries=job.deliveries, completed=None)
    return rows.defer('result').first()


def wake(pk: int, using: str, *, inline: bool = True) -> bool:
    """Have a job continue that waits for a signal which has come; return whether this call did.

    Args:
        pk: The job.
        using: The alias of the database that holds the jobs.
        inline: False for recovery; see `delivery.deliver()`.
    """
    job = Job.objects.using(using).filter(pk=pk, status=JobStatusChoices.STATUS_SCHEDULED).first()
    wait = wait_of(job) if job is not None else None
    if job is None or wait is None or wait.kind != JobStep.Kind.WAIT:
        return False
    if not JobSignal.objects.using(using).filter(job=pk, key=key_of(wait.name)).exists():
        return False
    now = clock.now_ms()
    rows = Job.objects.using(using).filter(pk=pk, status=JobStatusChoices.STATUS_SCHEDULED, due__gt=now)
    if not rows.filter(deliveries=job.deliveries).update(due=now):
        return False
    if job.schedule_id is not None:  # recovery knows whether another occurrence comes first
        return True
    woken = deliver.scheduled(using).filter(pk=pk).first()
    if woken is None:  # its queue is paused, or a maintenance thread was faster
        return True
    if woken.held:
        deliver.deliver_held({pk: woken}, using, inline=inline)
    elif deliver.make_deliverable(woken, unless_paused=True):
        delivery.deliver(deliver.delivery_of(woken), inline=inline)
    return True


def wake_signaled(using: str) -> int:
    """Have the jobs continue that wait for signals which have come: their senders have died; return how many."""
    waits = JobStep.objects.using(using).filter(
        job=OuterRef('job'), kind=JobStep.Kind.WAIT, name=OuterRef('name'), completed=None
    )
    waits = waits.filter(
        job__status=JobStatusChoices.STATUS_SCHEDULED, job__due__gt=clock.now_ms(), job__deliveries=F('deliveries')
    )
    signals = JobSignal.objects.using(using).filter(Exists(waits)).order_by('pk')
    keys = dict.fromkeys(signals.values_list('job_id', flat=True)[:_BATCH])
    return sum(wake(pk, using, inline=False) for pk in keys)


def sweep(using: str) -> None:
    """Delete the signals of jobs that have ended or were deleted."""
    enqueued: Any = Job.objects.using(using).filter(
        pk=OuterRef('job_id'), status__in=JobStatusChoices.ENQUEUED_STATE_CHOICES
    )
    signals = JobSignal.objects.using(using)
    while over := list(signals.filter(~Exists(enqueued)).values_list('pk', flat=True)[:_BATCH]):
        signals.filter(pk__in=over).delete()


def _path(key: str) -> str:
    return f'signal {key}'

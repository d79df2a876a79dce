"""The events of a job, in order, and the jobs that it is related to."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from ..choices import JobStatusChoices
from ..core import errors, formatting, reasons
from ..core.waits import Wait, WaitKind
from ..models import Job, JobAttempt

#: How many attempts the timeline has, the latest ones.
ATTEMPTS = 50


@dataclass(frozen=True)
class Event:
    """Something that has happened to a job, or will happen."""

    what: str
    at: datetime | None
    note: str = ''
    after: timedelta | None = None
    kind: str = ''  # 'now', 'bad', 'good' or 'future'


@dataclass
class RelatedJobs:
    """The jobs before and after a job, its retries, and its earlier attempts."""

    attempts: list[JobAttempt] = field(default_factory=list)
    previous: Job | None = None
    next: Job | None = None
    origin: Job | None = None
    retries: list[Job] = field(default_factory=list)

    @classmethod
    def of_job(cls, job: Job) -> 'RelatedJobs':
        """Read them for a job, in two queries."""
        using = job._state.db
        found = cls()
        if job.attempt > 1 or job.crashes or job.retries:
            rows = JobAttempt.objects.using(using).filter(job_id=job.pk).order_by('-number')[:ATTEMPTS]
            found.attempts = list(rows)[::-1]
        wanted = Q(predecessor_id=job.pk) | Q(retry_of_id=job.pk)
        if keys := [key for key in (job.predecessor_id, job.retry_of_id) if key is not None]:
            wanted |= Q(pk__in=keys)
        fields = ('pk', 'name', 'status', 'predecessor_id', 'retry_of_id')
        for other in Job.objects.using(using).filter(wanted).only(*fields).order_by('pk')[:100]:
            if other.pk == job.predecessor_id:
                found.previous = other
            elif other.pk == job.retry_of_id:
                found.origin = other
            elif other.predecessor_id == job.pk:
                found.next = other
            else:
                found.retries.append(other)
        return found


def events(job: Job, attempts: list[JobAttempt], wait: Wait | None) -> list[Event]:
    """Return the timeline of a job.

    Args:
        job: The job.
        attempts: Its earlier attempts.
        wait: Why it waits, if it does.
    """
    now = timezone.now()
    found = [Event(_('Created'), job.created, _by(job))]
    if job.scheduled is not None and job.scheduled != job.created:
        waits = wait is not None and wait.kind == WaitKind.DUE
        after = _until(job.scheduled, now) if waits else None
        found.append(Event(_('Due'), job.scheduled, kind='future' if waits else '', after=after))
    found += [_attempt(attempt) for attempt in attempts]
    if job.started is not None:
        found.append(_started(job, now))
    elif wait is not None and wait.kind == WaitKind.BACKOFF:
        assert wait.until is not None
        what = _('Attempt %(number)d is due') % {'number': wait.attempt or 0}
        found.append(Event(what, wait.until, kind='future', after=_until(wait.until, now)))
    elif wait is not None and wait.kind != WaitKind.DUE:
        found.append(Event(capfirst(reasons.in_words(wait)), None, kind='now'))
    if job.stopping is not None:
        found.append(Event(_('Stop requested'), job.stopping, kind='bad'))
    if job.completed is not None:
        good = job.status == JobStatusChoices.STATUS_COMPLETED
        word = formatting.status(job.status)
        found.append(Event(word, job.completed, after=job.execution_time, kind='good' if good else 'bad'))
    return found


def _by(job: Any) -> str:
    user = getattr(job, 'related_user', None)
    return _('for %(user)s') % {'user': formatting.cut(user, 60)} if user is not None else ''


def _until(moment: datetime, now: datetime) -> timedelta | None:
    return moment - now if moment > now else None


def _started(job: Job, now: datetime) -> Event:
    assert job.started is not None
    text = _('Started') if job.attempt <= 1 else _('Started, attempt %(number)d') % {'number': job.attempt}
    first = job.attempt <= 1
    # How long it waited for a worker since it could have started.
    waited = max(job.started - (job.scheduled or job.created), timedelta()) if first else None
    note = _('after waiting %(time)s') % {'time': formatting.duration(waited)} if waited is not None else ''
    running = job.status == JobStatusChoices.STATUS_RUNNING
    return Event(text, job.started, note, now - job.started if running else None, 'now' if running else '')


def _attempt(attempt: JobAttempt) -> Event:
    what = _('Attempt %(number)d crashed') if attempt.crashed else _('Attempt %(number)d failed')
    return Event(
        what % {'number': attempt.number},
        attempt.ended,
        errors.line(attempt.error),
        attempt.duration,
        'bad',
    )

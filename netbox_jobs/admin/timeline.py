"""What has happened to a job, in order, and the jobs that it is related to."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from ..choices import JobStatusChoices
from ..models import Job, JobAttempt
from . import shown

#: So many attempts are told one by one; of more, the last.
ATTEMPTS = 50


@dataclass(frozen=True)
class Event:
    """Something that has happened, or is to."""

    what: str
    at: datetime | None
    note: str = ''
    after: timedelta | None = None
    kind: str = ''  # 'now', 'bad', 'good' or 'future'


@dataclass
class Relatives:
    """The jobs before and after this one, and its earlier attempts."""

    attempts: list[JobAttempt] = field(default_factory=list)
    previous: Job | None = None
    next: Job | None = None
    origin: Job | None = None
    retries: list[Job] = field(default_factory=list)

    @classmethod
    def of(cls, job: Job) -> 'Relatives':
        """Those of a job; in two queries."""
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


def events(job: Job, attempts: list[JobAttempt]) -> list[Event]:
    """The timeline of a job."""
    now = timezone.now()
    paused = job.paused_by
    told = [Event(_('Created'), job.created, _by(job))]
    if job.scheduled is not None and job.scheduled != job.created:
        waits = job.status in JobStatusChoices.WAITING_STATE_CHOICES and job.scheduled > now and not paused
        after = _until(job.scheduled, now) if waits else None
        told.append(Event(_('Due'), job.scheduled, kind='future' if waits else '', after=after))
    elif job.due is None and not job.ended and job.attempt == 0:
        told.append(Event(_('Waits for other jobs'), None, kind='now'))
    for attempt in attempts:
        told.append(_past(attempt))
    if job.started is not None:
        told.append(_started(job, now))
    elif paused:
        told.append(
            Event(_('Its schedule is paused') if paused == 'schedule' else _('Its queue is paused'), None, kind='now')
        )
    elif job.status == JobStatusChoices.STATUS_PENDING and job.due is not None:
        told.append(Event(_('Waits in the queue %(queue)s') % {'queue': job.queue_name}, None, kind='now'))
    elif job.status == JobStatusChoices.STATUS_SCHEDULED and job.attempt:
        told.append(Event(_('Waits for attempt %(number)d') % {'number': job.attempt + 1}, None, kind='now'))
    if job.stopping is not None:
        told.append(Event(_('Asked to stop'), job.stopping, kind='bad'))
    if job.completed is not None:
        word = dict(JobStatusChoices.CHOICES).get(job.status, job.status)
        good = job.status == JobStatusChoices.STATUS_COMPLETED
        told.append(Event(str(word), job.completed, after=job.execution_time, kind='good' if good else 'bad'))
    return told


def _by(job: Any) -> str:
    user = getattr(job, 'shown_user', None)
    return _('for %(user)s') % {'user': shown.cut(user, 60)} if user is not None else ''


def _until(moment: datetime, now: datetime) -> timedelta | None:
    return moment - now if moment > now else None


def _started(job: Job, now: datetime) -> Event:
    assert job.started is not None
    text = _('Started') if job.attempt <= 1 else _('Started, attempt %(number)d') % {'number': job.attempt}
    first = job.attempt <= 1
    # Since it could have begun: what of it was waiting for a worker.
    waited = max(job.started - (job.scheduled or job.created), timedelta()) if first else None
    note = _('after waiting %(time)s') % {'time': shown.span(waited)} if waited is not None else ''
    running = job.status == JobStatusChoices.STATUS_RUNNING
    return Event(text, job.started, note, now - job.started if running else None, 'now' if running else '')


def _past(attempt: JobAttempt) -> Event:
    what = _('Attempt %(number)d crashed') if attempt.crashed else _('Attempt %(number)d failed')
    return Event(
        what % {'number': attempt.number}, attempt.ended, shown.first_line(attempt.error, 200), attempt.duration, 'bad'
    )

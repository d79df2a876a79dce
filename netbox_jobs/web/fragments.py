"""The fragments of a page that show jobs. Template tags put them into pages, and views answer with them alone.

A fragment is one HTML element. While its content may change, `data-live-url` names the address of its next state,
which `live.js` fetches; in a project that does not include `netbox_jobs.urls`, the fragment does not update itself.
A fragment costs the same number of SQL statements however many jobs there are, and none asks Redis.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

from django.db.models.functions import Left, Length
from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, reverse
from django.utils.crypto import get_random_string
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from ..choices import JobStatusChoices
from ..core import clock, contexts, errors, formatting, reasons
from ..models import Job, JobAttempt, Progress
from ..monitoring import log_lines, permissions, related, waiting

#: Milliseconds between two updates of jobs that run or can run at once,
BUSY = 2000
#: and of jobs that are due later.
IDLE = 10000
#: How many characters of a log line a page shows; the admin has the whole line.
LONGEST_LINE = 4000
#: The most that a page may ask for.
MOST_JOBS, MOST_LINES = 100, 1000

_UNSUCCESSFUL = (
    JobStatusChoices.STATUS_FAILED,
    JobStatusChoices.STATUS_ERRORED,
    JobStatusChoices.STATUS_CANCELED,
)


@dataclass(frozen=True, slots=True)
class Fragment:
    """A rendered element, and an entity tag that changes with its content."""

    html: SafeString
    etag: str


def status(request: HttpRequest, job: Job) -> Fragment:
    """Render the job's status: a word, a sign and a color."""
    url = '' if job.ended else url_of('status', job)
    return render(request, 'status', {'job': job, 'state': job_state(job), 'url': url, 'every': _pace([job])})


def progress(request: HttpRequest, job: Job, *, actions: bool = True) -> Fragment:
    """Render the job's status and progress, what it waits for, and how it ended.

    Args:
        request: The user's request.
        job: The job.
        actions: Whether to show the buttons of the actions that the user may take.
    """
    latest = Progress.objects.using(job._state.db).filter(job_id=job.pk, attempt=job.attempt).first()
    context = _job_context(request, job, latest, actions=actions)
    if job.status == JobStatusChoices.STATUS_SCHEDULED and job.attempt:
        attempts = JobAttempt.objects.using(job._state.db).filter(job_id=job.pk, number=job.attempt)
        error = attempts.annotate(start=Left('error', related.ERROR_START)).values_list('start', flat=True).first()
        context['error'] = formatting.first_line(error or '')
    context |= {
        'notes': _notes(context),
        'url': '' if job.ended else url_of('progress', job, actions=int(actions)),
        'every': _pace([job]),
    }
    return render(request, 'progress', context)


def log(request: HttpRequest, job: Job, *, lines: int = 100, level: str = '') -> Fragment:
    """Render the last lines of the job's log.

    Args:
        request: The user's request.
        job: The job.
        lines: How many lines at most.
        level: Only lines of this level and of more severe ones.
    """
    lines = max(1, min(lines, MOST_LINES))
    rows = log_lines.lines(job, level).defer('message')
    rows = rows.annotate(start=Left('message', LONGEST_LINE), length=Length('message'))
    latest = list(rows.order_by('-pk')[: lines + 1])
    context = {
        'name': formatting.cut(job.name, 200),
        'lines': [_line(row) for row in reversed(latest[:lines])],
        'earlier': len(latest) > lines,
        'url': '' if job.ended else url_of('log', job, lines=lines, level=level),
        'every': _pace([job]),
    }
    return render(request, 'log', context)


def object_jobs(request: HttpRequest, about: dict[str, Any], *, limit: int = 10) -> Fragment:
    """Render the latest jobs of an object that the user may see, with the actions that the user may take.

    Args:
        request: The user's request.
        about: The values of `object_type_id`, `object_id` and `object_db` that identify the object.
        limit: How many jobs at most.
    """
    limit = max(1, min(limit, MOST_JOBS))
    found = Job.objects.filter(**about, **contexts.tenant_filter())
    visible = related.defer_large_fields(permissions.visible_jobs(request.user, found))
    # Users may be in another database, so they are not joined.
    jobs = list(visible.prefetch_related('user').order_by('-pk')[:limit])
    progress = related.progress_of(job for job in jobs if job.status == JobStatusChoices.STATUS_RUNNING)
    query = {'type': about['object_type_id'], 'id': about['object_id'], 'db': about['object_db'], 'limit': limit}
    changing = any(not job.ended for job in jobs)
    context = {
        'rows': [_job_context(request, job, progress.get(job.pk)) for job in jobs],
        'url': url_of('objects', **query) if changing else '',
        'every': _pace(jobs),
    }
    return render(request, 'object_jobs', context)


# The context of a job


def _job_context(request: HttpRequest, job: Job, progress: Progress | None, *, actions: bool = True) -> dict[str, Any]:
    error = getattr(job, 'error_start', None)
    user: Any = request.user
    running = job.status == JobStatusChoices.STATUS_RUNNING
    moment = job.completed or job.started or _due(job) or job.scheduled or job.created
    attempt = job.attempt if running or job.ended else job.attempt + 1
    return {
        'job': job,
        'name': formatting.cut(job.name, 200),
        'admin_url': job.get_absolute_url() if user.is_staff and user.has_perm(permissions.VIEW) else '',
        'state': job_state(job),
        'moment': moment,
        'when': formatting.moment(moment),
        'exact': formatting.exact_moment(moment),
        'duration': formatting.unbroken(formatting.duration(job.execution_time)),
        'attempt': formatting.attempt(attempt) if attempt > 1 else '',
        'progress': progress,
        'percent': formatting.percent(progress.percent) if progress and progress.percent is not None else '',
        'message': formatting.clean(progress.message) if progress is not None else '',
        'bar': running or (progress is not None and not (job.ended and progress.percent is None)),
        'error': errors.line(job.error if error is None else error) if job.ended else '',
        'actions': _actions(request, job) if actions else [],
    }


def job_state(job: Job) -> dict[str, str]:
    """Return the status as a key for its color and its sign, and as a word."""
    stopping = job.status == JobStatusChoices.STATUS_RUNNING and job.stopping is not None
    return {'key': 'stopping' if stopping else job.status, 'label': formatting.status(job.status, stopping=stopping)}


def _notes(context: dict[str, Any]) -> list[str]:
    """Return the notes below the bar: figures of the progress, and when the job started, ended, or why it waits."""
    job, progress, when = context['job'], context['progress'], {'time': context['when']}
    notes = _figures(progress, running=not job.ended) if progress is not None and job.attempt and job.started else []
    if job.ended:
        notes += [context['attempt']] if context['attempt'] else []
        notes.append(_('ended at %(time)s') % when)
        notes += [_('took %(duration)s') % context] if context['duration'] else []
    elif job.status == JobStatusChoices.STATUS_RUNNING:
        notes += [context['attempt']] if context['attempt'] else []
        notes.append(_('started at %(time)s') % when)
    elif (wait := waiting.reason(job)) is not None:
        notes.append(reasons.in_words(waiting.without_others(wait)))
    return notes


def _figures(progress: Progress, *, running: bool) -> list[str]:
    """Return '120 of 480', '40 per second' and 'about 9 s left', where they are known."""
    figures = [formatting.amount(progress.current, progress.total)]
    if progress.rate is not None:
        figures.append(formatting.rate(progress.rate))
    if running and progress.remaining is not None:
        figures.append(formatting.remaining(progress.remaining))
    return [formatting.unbroken(figure) for figure in figures]


def _line(row: Any) -> dict[str, Any]:
    """Return a log line: its first line, and the rest of it, such as a traceback, to be folded."""
    message, _newline, rest = formatting.clean(row.start).strip('\n').partition('\n')
    more = row.length - LONGEST_LINE
    level = formatting.clean(row.level)
    return {
        'row': row,
        'time': formatting.log_time(row.timestamp),
        'exact': formatting.exact_moment(row.timestamp),
        'level': level,
        'message': message,
        'rest': rest,
        'more': formatting.number(more) if more > 0 else '',
    }


def _due(job: Job) -> datetime | None:
    return None if job.due is None or job.due == clock.NEVER else clock.from_ms(job.due)


def _actions(request: HttpRequest, job: Job) -> list[dict[str, str]]:
    """Return the actions that the user may take now: addresses to post to, and labels."""
    if not job.ended:
        if job.stopping is None and permissions.may_cancel(request.user, job) and (url := url_of('stop', job)):
            running = job.status == JobStatusChoices.STATUS_RUNNING
            return [{'url': url, 'label': _('Stop') if running else _('Cancel')}]
    elif job.status in _UNSUCCESSFUL and permissions.may_retry(request.user, job) and (url := url_of('retry', job)):
        return [{'url': url, 'label': _('Retry')}]
    return []


def _pace(jobs: Iterable[Job]) -> int:
    soon = (JobStatusChoices.STATUS_PENDING, JobStatusChoices.STATUS_RUNNING)
    return BUSY if any(job.status in soon or (job.attempt and not job.ended) for job in jobs) else IDLE


# Rendering


def url_of(name: str, job: Job | None = None, **query: Any) -> str:
    """Return the address of a view; empty in a project that does not include `netbox_jobs.urls`."""
    try:
        path = reverse(f'netbox_jobs:{name}', args=() if job is None else (job.pk,))
    except NoReverseMatch:
        return ''
    return f'{path}?{urlencode(query)}' if query else path


def render(request: HttpRequest, template: str, context: dict[str, Any]) -> Fragment:
    """Render a fragment. The CSRF token of its forms, which changes each time, does not count for its tag."""
    placeholder = get_random_string(32)
    html = render_to_string(f'netbox_jobs/{template}.html', {**context, 'csrf_placeholder': placeholder}).strip()
    etag = f'"{sha256(html.replace(placeholder, "").encode()).hexdigest()[:32]}"'
    if placeholder in html:
        html = html.replace(placeholder, get_token(request))
    # A template escapes what it is given, and a token has no markup.
    return Fragment(mark_safe(html), etag)  # nosec B703

"""The pieces of a page that show jobs. Template tags put them into pages, and views answer with them alone.

A fragment is one HTML element. As long as what it shows may change it names, in `data-live-url`, the address of its
own next state, which `live.js` fetches; in a project that has not mounted our addresses it is merely shown. Each
costs the same number of SQL statements however many jobs there are, and none asks Redis.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
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

from .. import permissions
from ..choices import JobStatusChoices
from ..core import clock, formatting
from ..models import Job, JobAttempt, JobLogEntry, Progress
from ..models.querysets import JobQuerySet

#: Milliseconds between two looks at what happens now,
BUSY = 2000
#: and at what is due some time.
IDLE = 10000
#: Characters of an error, and of a log line, that a page shows; the admin has the whole.
ERROR_SHOWN, LINE_SHOWN = 300, 4000
#: The most that a page may ask for.
MOST_JOBS, MOST_LINES = 100, 1000
#: In the order of their weight; levels of other names are shown with each.
LEVELS = ('debug', 'info', 'warning', 'error', 'critical')

_UNSUCCESSFUL = (
    JobStatusChoices.STATUS_FAILED,
    JobStatusChoices.STATUS_ERRORED,
    JobStatusChoices.STATUS_CANCELED,
)
# What may be large, and is not shown. (Arguments are never shown here: they may hold what a user must not see.)
_LARGE = ('arguments', 'arguments_shown', 'data', 'error', 'options', 'retry_policy')


@dataclass(frozen=True, slots=True)
class Fragment:
    """A rendered element, and a tag that is the same as long as it shows the same."""

    html: SafeString
    etag: str


def status(request: HttpRequest, job: Job) -> Fragment:
    """The job's status, in words, with a sign and a colour."""
    url = '' if job.ended else _url('status', job)
    return _render(request, 'status', {'job': job, 'state': _state(job), 'url': url, 'every': _pace([job])})


def progress(request: HttpRequest, job: Job, *, actions: bool = True) -> Fragment:
    """How far the job is: its status, a bar, percent, message, rate and time left; what it waits for, how it ended.

    Args:
        request: Who asks.
        job: The job.
        actions: Whether to offer what the user may do with it.
    """
    latest = Progress.objects.using(job._state.db).filter(job_id=job.pk).first()
    context = _job_context(request, job, latest, actions=actions)
    if job.status == JobStatusChoices.STATUS_SCHEDULED and job.attempt:
        attempts = JobAttempt.objects.using(job._state.db).filter(job_id=job.pk, number=job.attempt)
        error = attempts.annotate(start=Left('error', ERROR_SHOWN)).values_list('start', flat=True).first()
        context['error'] = formatting.first_line(error or '')
    context |= {
        'notes': _notes(context),
        'url': '' if job.ended else _url('progress', job, actions=int(actions)),
        'every': _pace([job]),
    }
    return _render(request, 'progress', context)


def log(request: HttpRequest, job: Job, *, lines: int = 100, level: str = '') -> Fragment:
    """The end of the job's log.

    Args:
        request: Who asks.
        job: The job.
        lines: How many lines at most.
        level: Only those of this level and graver ones.
    """
    lines = max(1, min(lines, MOST_LINES))
    rows = JobLogEntry.objects.using(job._state.db).filter(job_id=job.pk)
    if level in LEVELS:
        rows = rows.exclude(level__in=LEVELS[: LEVELS.index(level)])
    shown = rows.annotate(start=Left('message', LINE_SHOWN), length=Length('message')).defer('message')
    latest = list(shown.order_by('-pk')[: lines + 1])
    context = {
        'name': formatting.printable(job.name, 200),
        'lines': [_line(row) for row in reversed(latest[:lines])],
        'earlier': len(latest) > lines,
        'url': '' if job.ended else _url('log', job, lines=lines, level=level),
        'every': _pace([job]),
    }
    return _render(request, 'log', context)


def object_jobs(request: HttpRequest, about: dict[str, Any], *, limit: int = 10) -> Fragment:
    """The latest jobs about an object that the user may see, with what may be done with them.

    Args:
        request: Who asks.
        about: The values of `object_type_id`, `object_id` and `object_db` that name the object.
        limit: How many jobs at most.
    """
    limit = max(1, min(limit, MOST_JOBS))
    visible = light(permissions.visible_jobs(request.user, Job.objects.filter(**about)))
    # Users may be in another database, so they are not joined.
    jobs = list(visible.prefetch_related('user').order_by('-pk')[:limit])
    running = [job.pk for job in jobs if job.status == JobStatusChoices.STATUS_RUNNING]
    told = Progress.objects.in_bulk(running) if running else {}
    query = {'type': about['object_type_id'], 'id': about['object_id'], 'db': about['object_db'], 'limit': limit}
    changing = any(not job.ended for job in jobs)
    context = {
        'rows': [_job_context(request, job, told.get(job.pk)) for job in jobs],
        'url': _url('objects', **query) if changing else '',
        'every': _pace(jobs),
    }
    return _render(request, 'object_jobs', context)


# What is shown of a job


def light(jobs: JobQuerySet) -> JobQuerySet:
    """These jobs without what may be large and is not shown; of an error there is the beginning, `error_start`."""
    return jobs.annotate(error_start=Left('error', ERROR_SHOWN)).defer(*_LARGE)


def _job_context(request: HttpRequest, job: Job, told: Progress | None, *, actions: bool = True) -> dict[str, Any]:
    if told is not None and told.attempt != job.attempt:
        told = None  # what an earlier attempt told
    error = getattr(job, 'error_start', None)
    user: Any = request.user
    running = job.status == JobStatusChoices.STATUS_RUNNING
    moment = job.completed or job.started or _due(job) or job.scheduled or job.created
    attempt = job.attempt if running or job.ended else job.attempt + 1
    return {
        'job': job,
        'name': formatting.printable(job.name, 200),
        'admin_url': job.get_absolute_url() if user.is_staff and user.has_perm(permissions.VIEW) else '',
        'state': _state(job),
        'moment': moment,
        'when': formatting.moment(moment),
        'duration': formatting.span(job.execution_time),
        'attempt': _('attempt %(number)s') % {'number': formatting.count(attempt)} if attempt > 1 else '',
        'progress': told,
        'message': formatting.printable(told.message) if told is not None else '',
        'bar': running or (told is not None and not (job.ended and told.percent is None)),
        'error': formatting.first_line(job.error if error is None else error) if job.ended else '',
        'actions': _actions(request, job) if actions else [],
    }


def _state(job: Job) -> dict[str, str]:
    """The status as it is shown: a key for its colour and its sign, and the words."""
    if job.status == JobStatusChoices.STATUS_RUNNING and job.stopping is not None:
        return {'key': 'stopping', 'label': _('Stopping')}
    return {'key': job.status, 'label': job.get_status_display()}


def _notes(shown: dict[str, Any]) -> list[str]:
    """What there is to say below the bar: what it waits for, how far and how fast it is, when it began and ended."""
    job, told, when = shown['job'], shown['progress'], {'time': shown['when']}
    notes = _figures(told, running=not job.ended) if told is not None and job.attempt and job.started else []
    notes += [shown['attempt']] if shown['attempt'] else []
    if job.ended:
        notes.append(_('ended at %(time)s') % when)
        notes += [_('took %(duration)s') % shown] if shown['duration'] else []
    elif job.status == JobStatusChoices.STATUS_RUNNING:
        notes.append(_('started at %(time)s') % when)
    elif job.due is None:
        notes.append(_('waits for other jobs'))
    elif paused := job.paused_by:
        notes.append(_('its schedule is paused') if paused == 'schedule' else _('its queue is paused'))
    elif job.status == JobStatusChoices.STATUS_PENDING:
        notes.append(_('waits for a worker'))
    else:
        notes.append(_('due at %(time)s') % when)
    return notes


def _figures(told: Progress, *, running: bool) -> list[str]:
    """'120 of 480', '40 per second', 'about 9 s left', as far as that can be told."""
    done = formatting.count(told.current)
    if told.total is not None:
        done = _('%(done)s of %(total)s') % {'done': done, 'total': formatting.count(told.total)}
    figures = [done]
    if told.rate is not None:
        figures.append(formatting.rate(told.rate))
    if running and told.remaining is not None:
        rest = timedelta(seconds=round(told.remaining.total_seconds()))
        figures.append(_('about %(time)s left') % {'time': formatting.span(rest)})
    return figures


def _line(row: Any) -> dict[str, Any]:
    """A log line: what it says, and folded away what follows in lines of its own, such as a traceback."""
    message, _newline, rest = formatting.printable(row.start).strip('\n').partition('\n')
    more = row.length - LINE_SHOWN
    level = formatting.printable(row.level)
    return {
        'row': row,
        'level': level,
        'message': message,
        'rest': rest,
        'more': formatting.count(more) if more > 0 else '',
    }


def _due(job: Job) -> datetime | None:
    return None if job.due is None else clock.to_stored(datetime.fromtimestamp(job.due / 1000, UTC))


def _actions(request: HttpRequest, job: Job) -> list[dict[str, str]]:
    """What this user may do with the job now: addresses to post to, with their words."""
    if not job.ended:
        if job.stopping is None and permissions.may_cancel(request.user, job) and (url := _url('stop', job)):
            running = job.status == JobStatusChoices.STATUS_RUNNING
            return [{'url': url, 'label': _('Stop') if running else _('Cancel')}]
    elif job.status in _UNSUCCESSFUL and permissions.may_retry(request.user, job) and (url := _url('retry', job)):
        return [{'url': url, 'label': _('Retry')}]
    return []


def _pace(jobs: Iterable[Job]) -> int:
    soon = (JobStatusChoices.STATUS_PENDING, JobStatusChoices.STATUS_RUNNING)
    return BUSY if any(job.status in soon or (job.attempt and not job.ended) for job in jobs) else IDLE


# Rendering


def _url(name: str, job: Job | None = None, **query: Any) -> str:
    """Our address of this name; empty in a project that has not mounted `netbox_jobs.urls`."""
    try:
        path = reverse(f'netbox_jobs:{name}', args=() if job is None else (job.pk,))
    except NoReverseMatch:
        return ''
    return f'{path}?{urlencode(query)}' if query else path


def _render(request: HttpRequest, template: str, context: dict[str, Any]) -> Fragment:
    """Render a fragment; its tag disregards the token of its forms, which is another each time."""
    mark = get_random_string(32)
    html = render_to_string(f'netbox_jobs/{template}.html', {**context, 'csrf_mark': mark}).strip()
    etag = f'"{sha256(html.replace(mark, "").encode()).hexdigest()[:32]}"'
    if mark in html:
        html = html.replace(mark, get_token(request))
    return Fragment(mark_safe(html), etag)

"""What a user is told on any page: which of the user's jobs have ended since the page before.

The session knows since when, and what has been shown. So each end is shown once: by the page that is open when the job
ends, or by the next one.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe

from ..choices import JobNotificationChoices, JobStatusChoices
from ..core import clock, errors, formatting
from ..models import Job
from ..monitoring import permissions, related
from .fragments import Fragment, job_state, render, url_of

#: Milliseconds between two looks.
EVERY = 5000
#: How many ends are shown at once, and how many the session remembers.
SHOWN, REMEMBERED = 5, 50
#: How far back a page looks: at so much time, and at so many of the jobs that ended last, of all users.
LONGEST, NEWEST = timedelta(hours=1), 10_000
#: After this time, the session gets a new moment to look back to.
RENEWED = timedelta(minutes=10)
#: The clocks of workers may differ from that of this host by so much.
_SLACK = timedelta(seconds=10)
_SESSION = 'netbox_jobs.notifications'


def on_page(request: HttpRequest) -> SafeString:
    """Render, into a page, the ends that no page has shown yet; the element then keeps itself up to date."""
    session: Any = getattr(request, 'session', None)
    if session is None or not request.user.is_authenticated:
        return mark_safe('')
    now = timezone.now()
    known: Any = session.get(_SESSION)
    if known is None:
        session[_SESSION] = {'since': _seconds(now), 'shown': []}
        return _element(request, [], now).html
    since = max(_moment(known['since']), now - LONGEST)
    jobs = _ended(request, since, set(known['shown']))
    if jobs or now - since > RENEWED:
        shown = [*known['shown'], *(job.pk for job in jobs)][-REMEMBERED:]
        # If there may be more, the next page shows them.
        session[_SESSION] = {'since': known['since'] if len(jobs) == SHOWN else _seconds(now), 'shown': shown}
    return _element(request, jobs, now).html


def live(request: HttpRequest, since: float, kept: set[int]) -> Fragment:
    """Render the ends that a page has shown when it was loaded, and those since; remember them as shown.

    Args:
        request: The user's request.
        since: When the page was loaded, in seconds since the epoch.
        kept: The keys of the jobs that the page has shown.
    """
    session: Any = getattr(request, 'session', None)
    known = session.get(_SESSION) if session is not None and request.user.is_authenticated else None
    loaded = max(_moment(since), timezone.now() - LONGEST)
    if known is None:
        return _element(request, [], loaded)
    # Of those that ended around the loading of the page, earlier pages may have shown some.
    jobs = _ended(request, loaded, set(known['shown']) - kept)
    new = [job for job in jobs if job.pk not in kept]
    if new:
        session[_SESSION] = {**known, 'shown': [*known['shown'], *(job.pk for job in new)][-REMEMBERED:]}
    kept |= {job.pk for job in new}
    mine = related.defer_large_fields(Job.objects.filter(pk__in=kept, user_id=_user(request)))
    return _element(request, list(mine.order_by('-completed')[:SHOWN]), loaded)


def _ended(request: HttpRequest, since: datetime, but: set[int]) -> list[Job]:
    """Return the user's jobs that ended since then, the latest first; the user is not told of those told not to be."""
    ended = Job.objects.filter(completed__gt=since - _SLACK).order_by('-completed')
    # Bounded: of a user's jobs, or of those that ended within a time, there may be millions.
    floor = ended.values_list('completed', flat=True)[NEWEST : NEWEST + 1].first()
    if floor is not None:
        ended = ended.filter(completed__gt=floor)
    silent = Q(notifications=JobNotificationChoices.NOTIFICATION_NEVER)
    silent |= Q(notifications=JobNotificationChoices.NOTIFICATION_ON_FAILURE, status=JobStatusChoices.STATUS_COMPLETED)
    own = ended.filter(user_id=_user(request)).exclude(silent)
    found = related.defer_large_fields(own)[: SHOWN + len(but)]
    return [job for job in found if job.pk not in but][:SHOWN]


def _element(request: HttpRequest, jobs: list[Job], loaded: datetime) -> Fragment:
    user: Any = request.user
    visits = user.is_staff and user.has_perm(permissions.VIEW)
    rows = [
        {
            'job': job,
            'name': formatting.cut(job.name, 200),
            'state': job_state(job),
            'when': formatting.moment(job.completed),
            'error': errors.line(job.error_start),  # type: ignore[attr-defined]
            'admin_url': job.get_absolute_url() if visits else '',
        }
        for job in jobs
    ]
    query: dict[str, Any] = {'since': _seconds(loaded), 'shown': ','.join(str(job.pk) for job in jobs)}
    return render(request, 'notifications', {'rows': rows, 'url': url_of('notifications', **query), 'every': EVERY})


def _user(request: HttpRequest) -> Any:
    return request.user.pk


def _seconds(moment: datetime) -> int:
    return int(clock.to_utc(moment).timestamp())


def _moment(seconds: float) -> datetime:
    return clock.to_stored(datetime.fromtimestamp(seconds, UTC))

"""Why a job waits, in words: the one style of pages, terminal and REST."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from .formatting import capped, clean, duration, moment, number
from .waits import BEHIND, Wait, WaitKind


def in_words(reason: Wait) -> str:
    """Return why a job waits, as a phrase after its status: 'no worker serves the queue low'."""
    values = _wait_values(reason)
    match reason.kind:
        case WaitKind.UNSAVED:
            return _('waits until its object is saved')
        case WaitKind.SCHEDULE_LOCKED:
            return _('waits until another transaction releases its schedule')
        case WaitKind.JOBS:
            return _wait_for_jobs(reason)
        case WaitKind.WORKFLOW:
            known = reason.workflow is not None
            return _('waits for workflow %(workflow)s') % values if known else _('waits for its workflow')
        case WaitKind.PREVIOUS if reason.jobs:
            return _('waits for the previous occurrence, job %(job)s') % {'job': reason.jobs[0]}
        case WaitKind.PREVIOUS:
            return _('waits for the previous occurrence')
        case WaitKind.SCHEDULE_PAUSED:
            known = reason.schedule is not None
            return _('schedule %(schedule)s is paused') % values if known else _('its schedule is paused')
        case WaitKind.QUEUE_PAUSED:
            return _('the queue %(queue)s is paused') % values
        case WaitKind.DUE:
            return _('due at %(time)s') % values
        case WaitKind.BACKOFF:
            return _('attempt %(attempt)s is due at %(time)s') % values
        case WaitKind.LIMIT:
            return _waits_for_slot(reason) % values
        case WaitKind.RATE:
            return _waits_for_rate(reason) % values + (
                _('; there is room at %(time)s') % values if reason.until else ''
            )
        case WaitKind.SLEEP:
            return _('sleeps until %(time)s') % values
        case WaitKind.SIGNAL if reason.until is None:
            return _('waits for the signal %(signal)s') % values
        case WaitKind.SIGNAL:
            return _('waits for the signal %(signal)s until %(time)s') % values
        case WaitKind.NO_WORKER:
            return _('no worker serves the queue %(queue)s') % values
        case WaitKind.REDIS:
            return _('Redis does not answer; the job runs when Redis is back')
        case _kind if reason.more:
            return _waits_behind(reason) % values
        case _kind:
            return _('waits in line in the queue %(queue)s') % values


def _wait_values(reason: Wait) -> dict[str, Any]:
    return {
        'queue': clean(reason.queue), 'limit': clean(reason.limit), 'signal': clean(reason.signal),
        'schedule': reason.schedule, 'workflow': reason.workflow, 'time': moment(reason.until),
        'attempt': number(reason.attempt or 0), 'most': number(reason.most), 'per': duration(reason.per),
        'more': capped(reason.more, BEHIND),
    }  # fmt: skip


def _waits_for_slot(reason: Wait) -> str:
    return ngettext(
        'waits for a slot: at most %(most)s job of %(limit)s runs at once',
        'waits for a slot: at most %(most)s jobs of %(limit)s run at once',
        reason.most,
    )


def _waits_for_rate(reason: Wait) -> str:
    return ngettext(
        'waits for a rate: at most %(most)s job of %(limit)s begins within %(per)s',
        'waits for a rate: at most %(most)s jobs of %(limit)s begin within %(per)s',
        reason.most,
    )


def _waits_behind(reason: Wait) -> str:
    return ngettext(
        'waits in line in the queue %(queue)s behind %(more)s other job',
        'waits in line in the queue %(queue)s behind %(more)s other jobs',
        reason.more,
    )


def _wait_for_jobs(reason: Wait) -> str:
    if not reason.jobs:
        return _('waits for other jobs')
    names = ', '.join(map(str, reason.jobs))
    if reason.more:
        return _('waits for jobs %(jobs)s and %(count)s more') % {'jobs': names, 'count': number(reason.more)}
    return ngettext('waits for job %(jobs)s', 'waits for jobs %(jobs)s', len(reason.jobs)) % {'jobs': names}

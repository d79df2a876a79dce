"""Why a job does not run yet."""

from django.utils import timezone

from ..choices import JobStatusChoices
from ..cli import times
from ..core import clock
from ..models import Job, Worker
from . import stats


def reason(job: Job) -> str:
    """Why a job waits, in a few words; empty if it does not, or is about to run."""
    if job.status not in JobStatusChoices.WAITING_STATE_CHOICES:
        return ''
    using = job._state.db
    if job.due is None:
        open_ = job.dependencies.using(using).exclude(status__in=JobStatusChoices.TERMINAL_STATE_CHOICES)
        awaited = sorted(open_.values_list('pk', flat=True))
        return f'it waits for {", ".join(f"job {pk}" for pk in awaited[:5])}' if awaited else ''
    if (paused := job.paused_by) == 'schedule':
        return f'its schedule {job.schedule_id} is paused'
    if paused:
        return f'the queue {job.queue_name} is paused'
    if job.due > clock.now_ms() and job.scheduled is not None and job.scheduled > timezone.now():
        return f'it is due {times.relative(job.scheduled)}'
    if not any(job.queue_name in stats.served_by(worker) for worker in Worker.objects.using(using).all()):
        return f'no worker serves the queue {job.queue_name}'
    return ''

"""What must be nought among the jobs that were stopped, canceled, retried or held back."""

from netbox_jobs.models import Job
from tests.app.models import Trace

from .state import State

#: Seconds after the stop of a job in which it may still come to its own end.
STOPPED = 10.0
#: How the errors of jobs begin whose process has died.
DIED = ('Its process ', 'The worker ')
#: Seconds between a claim and the trace of its start.
CLAIMED = 2.0


def wrong(chaos: State, jobs: dict[int, Job], traces: dict[int, list[Trace]]) -> dict[str, list[int]]:
    """The primary keys of the jobs for which something is not as it must be, by what that is."""
    return {
        'canceled, and not so': [pk for pk in chaos.canceled if pk in jobs and jobs[pk].status != 'canceled'],
        'run after it was canceled': [
            pk for pk, moment in chaos.canceled.items() if _started(traces[pk], moment, float('inf'))
        ],
        'stopped, and run on or again': [
            pk
            for pk, moment in chaos.stopped.items()
            if pk in jobs and not _stopped(chaos, jobs[pk], traces[pk], moment)
        ],
        'canceled without a request': [
            pk
            for pk, job in jobs.items()
            if job.status == 'canceled' and pk not in chaos.canceled and pk not in chaos.stopped
        ],
        'retried by hand, and not linked': [
            pk for pk, old in chaos.retried.items() if pk in jobs and jobs[pk].retry_of_id != old
        ],
        'more than one, although asked for once': [pk for made in chaos.pressed if len(made) > 1 for pk in made],
        'started while its queue was paused': [
            pk
            for queue, began, over in chaos.paused_queues
            for pk, job in jobs.items()
            if job.queue_name == queue and pk not in chaos.suspended and _started(traces[pk], began + CLAIMED, over)
        ],
        'started while its schedule was paused': [
            pk
            for schedule, began, over in chaos.paused_schedules
            for pk, job in jobs.items()
            if job.schedule_id == schedule and pk not in chaos.suspended and _started(traces[pk], began + CLAIMED, over)
        ],
    }  # fmt: skip


def _started(traces: list[Trace], began: float, over: float) -> bool:
    return any(trace.what == 'start' and began < trace.at.timestamp() < over for trace in traces)


def _stopped(chaos: State, job: Job, traces: list[Trace], moment: float) -> bool:
    """Canceled, or ended by itself before the stop reached it; and in neither case run again."""
    if _started(traces, moment + CLAIMED, float('inf')):
        return False
    if job.status == 'canceled' or job.pk in chaos.suspended:
        return True
    if job.error.startswith(DIED):  # by the stop, of which no worker knew
        return False
    return job.completed is not None and job.completed.timestamp() < moment + STOPPED

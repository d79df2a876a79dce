"""Signals in the chaos: each reaches its job once, in its order; one that was rolled back never does."""

from django.db import transaction

from netbox_jobs.exceptions import JobEnded
from netbox_jobs.models import Job, JobSignal, JobStep
from tests.app.models import Trace
from tests.app.waiting import WorkingSignaled

from .state import State

ORDER = ['one', 'two']


def signal_later(chaos: State, job: Job) -> None:
    """Send the two signals that a job waits for, and one that is rolled back, at moments of the plan's."""

    def send(payload: str, *, roll_back: bool = False) -> None:
        with transaction.atomic():
            try:
                job.signal('go', payload)
            except (JobEnded, Job.DoesNotExist):  # canceled, or deleted
                return
            transaction.set_rollback(roll_back)

    first = chaos.rng.uniform(0, 4)
    chaos.later(first, lambda: send('rolled back', roll_back=True))
    chaos.later(first, lambda: send(ORDER[0]))
    chaos.later(first + chaos.rng.uniform(0, 4), lambda: send(ORDER[1]))


def wrong(jobs: dict[int, Job], traces: dict[int, list[Trace]]) -> dict[str, list[int]]:
    """The primary keys of the jobs for which something is not as it must be, by what that is."""
    done = [job for job in jobs.values() if job.name == WorkingSignaled.name and job.status == 'completed']
    waits = JobStep.Kind.WAIT
    return {
        'completed without both of their signals, in order': [job.pk for job in done if job.data != ORDER],
        'waits that are not finished, or not once for each signal': [
            job.pk
            for job in done
            if [step.completed is not None for step in job.steps.all() if step.kind == waits] != [True, True]
        ],
        'steps by a call that have not run at least once': [
            job.pk for job in done if {'start', 'end'} - {trace.what for trace in traces[job.pk]}
        ],
        'steps by a call that ran more often than their job was begun': [
            pk
            for pk, job in jobs.items()
            if job.name == WorkingSignaled.name
            for what in ('start', 'end')
            if sum(trace.what == what for trace in traces[pk]) > 1 + job.crashes + job.retries
        ],
        'signals for which no job waits': list(
            JobSignal.objects.filter(job_id__in=[job.pk for job in done]).values_list('job_id', flat=True)
        ),
    }

"""`run_jobs()`: the jobs that wait are run in the test's process, by the code with which a worker runs them."""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from asgiref.sync import sync_to_async
from django.db.models import Case, Value, When

from ..broker import delivery
from ..choices import JobStatusChoices
from ..core import clock, identity, queues
from ..exceptions import JobFailed
from ..execution.execution import Execution
from ..lifecycle.claim import claim
from ..lifecycle.deliver import deliver_held, make_deliverable
from ..lifecycle.wait import hold_back
from ..maintenance import recovery, slots
from ..models import Job, PausedQueue, database
from ..models.querysets import JobQuerySet
from . import commits
from .travel import Clock, limit_of


def run_jobs(
    *,
    until: datetime | timedelta | None = None,
    queue_names: Collection[str] | None = None,
    limit: int = 1000,
    raise_errors: bool = True,
) -> list[Job]:
    """Run the jobs that wait, and those that they enqueue, until none is left that is due.

    They are claimed and ended as by a worker: with statuses, signals, retries, successors, and jobs that depend on
    others. Callbacks of `on_commit()` that are registered meanwhile are called, also within the transaction of a
    `TestCase`. Redis is not asked.

    Args:
        until: Also run what is due until then: a moment, or a `timedelta` from now. The clock goes from one due time
            to the next, and back at the end: schedules recur and retries come at their times.
        queue_names: Only the jobs of these queues; those of all if omitted.
        limit: How many runs there may be, so that jobs which enqueue each other do not go on for ever.
        raise_errors: Raise what a job raises that ends as errored or failed. An attempt that is retried raises
            nothing. If False, look at the status and the error of each job.

    Returns:
        The jobs that ran, in the order in which they began, as their rows are now; one that was retried stands there
        once.

    Raises:
        AssertionError: More than `limit` jobs run.
        ValueError: `until` is naive, or there is no such queue.
        Exception: What a job raised; see `raise_errors`.
    """
    names = None if queue_names is None else [queues.check(name) for name in queue_names]
    loop = _Loop(limit_of(until), names, limit, raise_errors)
    with delivery.withheld():
        try:
            loop.run()
        finally:
            loop.clock.close()
    return loop.jobs()


arun_jobs = sync_to_async(run_jobs)


class _Loop:
    def __init__(self, until: int | None, names: list[str] | None, limit: int, raise_errors: bool) -> None:
        self.clock = Clock()
        self._until, self._names, self._limit, self._raise_errors = until, names, limit, raise_errors
        self._ran: dict[int, Job] = {}
        self._runs = 0
        self._using = database()
        self._commit: Callable[[], None] = commits.mark()

    def jobs(self) -> list[Job]:
        """The jobs that ran, as their rows are now; as their run has left them, if it has deleted them."""
        rows = Job.objects.using(self._using).in_bulk(self._ran.keys())
        return [rows.get(pk, job) for pk, job in self._ran.items()]

    def run(self) -> None:
        while True:
            self._make_due()
            job = self._pending().first()
            if job is not None:
                self._run(job)
            elif not self._settle() and not self._advance():
                return

    def _of_queues(self, jobs: JobQuerySet[Job]) -> JobQuerySet[Job]:
        return jobs if self._names is None else jobs.filter(queue_name__in=self._names)

    def _make_due(self) -> None:
        """What a worker does each second: the jobs whose time has come are pending from then on."""
        due = list(self._of_queues(recovery.scheduled()).filter(due__lte=clock.now_ms()).order_by('due', 'pk'))
        deliver_held({job.pk: job for job in due if job.held}, self._using, inline=False)
        for job in due:
            make_deliverable(job, unless_paused=True)

    def _pending(self) -> JobQuerySet[Job]:
        """The jobs to run, in the order in which a worker of all queues would take them."""
        jobs = self._of_queues(Job.objects.using(self._using)).filter(status=JobStatusChoices.STATUS_PENDING)
        jobs = jobs.filter(due__isnull=False).exclude(runner='')
        jobs = jobs.exclude(queue_name__in=PausedQueue.objects.using(self._using).values('name'))
        order = dict.fromkeys((*queues.DEFAULT_QUEUES, *sorted(queues.configured())))
        rank = Case(*(When(queue_name=name, then=Value(place)) for place, name in enumerate(order)), default=Value(-1))
        front = Case(When(options__at_front=True, then=Value(0)), default=Value(1))
        return jobs.order_by(rank, front, '-priority', 'due', 'pk')

    def _settle(self) -> bool:
        """What recovery does; return whether something can be run for it."""
        recovery.settle_dependents()
        slots.heed()
        slots.give_slots()
        slots.wake_signaled()
        self._commit()
        return self._pending().exists()

    def _advance(self) -> bool:
        """Move the clock to where the next job is due; return False if there is none until the end."""
        if self._until is None:
            return False
        first = self._of_queues(recovery.scheduled()).order_by('due').values_list('due', flat=True).first()
        due = min((time for time in (first, slots.next_room()) if time is not None), default=None)
        if due is None or due > self._until:
            return slots.give_slots() > 0  # a rate may have room since it was looked at
        self.clock.move(max(due, clock.now_ms()))
        return True

    def _run(self, job: Job) -> None:
        if self._runs >= self._limit:
            raise AssertionError(
                f'run_jobs() has run {self._runs} jobs, and job {job.pk} ({job.name}, {job.runner}) waits. If that is '
                'right, pass a larger limit; else look for a job that enqueues itself.'
            )
        self._runs += 1
        claimed = claim(str(job.job_id), identity.process_token(), self._using)
        self._commit()
        if claimed is None:
            hold_back(str(job.job_id), self._using)
            return
        if claimed.ended:  # a receiver of job_start has ended it
            return
        self._ran.setdefault(claimed.pk, claimed)
        run = Execution(claimed)
        with run.attended():
            run.perform()
        self._commit()
        if self._raise_errors and claimed.status in (JobStatusChoices.STATUS_ERRORED, JobStatusChoices.STATUS_FAILED):
            error = run.failure or JobFailed(claimed.error)
            error.add_note(
                f'(job {claimed.pk}, {claimed.name}, ended as {claimed.status}; with raise_errors=False, run_jobs() '
                'does not raise this)'
            )
            raise error

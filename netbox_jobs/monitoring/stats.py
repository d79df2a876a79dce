"""What queues and workers do now, in a constant number of queries however many jobs there are."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Count, Min, Q
from django.utils import timezone

from ..choices import JobStatusChoices
from ..core import clock, queues
from ..models import Job, PausedQueue, Progress, Worker, database

#: What has failed within this time is counted.
RECENTLY = timedelta(days=1)
_FAILED = (JobStatusChoices.STATUS_FAILED, JobStatusChoices.STATUS_ERRORED)


@dataclass(frozen=True, slots=True)
class QueueStats:
    """One queue as it is now."""

    name: str
    #: Jobs that could run now, those that depend on others included.
    waiting: int = 0
    #: Jobs whose time has not come.
    scheduled: int = 0
    running: int = 0
    #: Jobs that failed or errored within a day.
    failed: int = 0
    #: Since when the oldest of the waiting ones could have run; None if none could.
    oldest: datetime | None = None
    #: Workers that serve it; one that was killed counts until it is declared dead.
    workers: int = 0
    #: Since when it is paused; None if it is not.
    paused: datetime | None = None


@dataclass(frozen=True, slots=True)
class RunningJob:
    """A job that runs now, with how far it is; None if it has not told."""

    job: Job
    progress: Progress | None


@dataclass(frozen=True, slots=True)
class WorkerActivity:
    """A worker, and what it runs now.

    Without a worker: jobs of processes that are no workers (`immediate`), and of such as are gone.
    """

    worker: Worker | None
    jobs: tuple[RunningJob, ...]

    @property
    def queues(self) -> list[str]:
        """The queues that it serves, in its order of priority."""
        return served_by(self.worker) if self.worker is not None else []


def served_by(worker: Worker) -> list[str]:
    """The queues that a worker serves, in its order of priority."""
    return [name for name in worker.queues.split(',') if name]


def queue_stats() -> list[QueueStats]:
    """All queues: high, default, low, then the others by name; also one that has jobs and is configured no more."""
    using = database()
    jobs = Job.objects.using(using).order_by()
    now = clock.now_ms()
    later = Q(status=JobStatusChoices.STATUS_SCHEDULED, due__gt=now)
    waiting = {
        name: (due, not_due, oldest)
        for name, due, not_due, oldest in jobs.waiting()
        .values_list('queue_name')
        .annotate(now=Count('pk', filter=~later), later=Count('pk', filter=later), oldest=Min('due', filter=~later))
    }
    running = dict(jobs.running().values_list('queue_name').annotate(Count('pk')))
    recent = jobs.filter(status__in=_FAILED, completed__gte=timezone.now() - RECENTLY)
    failed = dict(recent.values_list('queue_name').annotate(Count('pk')))
    paused = dict(PausedQueue.objects.using(using).values_list('name', 'since'))
    workers = Counter(name for worker in Worker.objects.using(using).all() for name in set(served_by(worker)))
    found = []
    for name in _in_order({*queues.configured(), *waiting, *running, *failed, *paused}):
        due, not_due, oldest = waiting.get(name, (0, 0, None))
        found.append(
            QueueStats(
                name=name,
                waiting=due,
                scheduled=not_due,
                running=running.get(name, 0),
                failed=failed.get(name, 0),
                oldest=None if oldest is None else clock.to_stored(datetime.fromtimestamp(oldest / 1000, UTC)),
                workers=workers[name],
                paused=paused.get(name),
            )
        )
    return found


def worker_activity() -> list[WorkerActivity]:
    """All workers, the oldest first, each with the jobs that it runs; what no known worker runs comes last."""
    using = database()
    jobs = Job.objects.using(using).running().select_related('object_type').defer('arguments', 'data').order_by('pk')
    running = list(jobs)
    progress = progress_of(running)
    by_token: dict[str | None, list[RunningJob]] = defaultdict(list)
    for job in running:
        by_token[job.worker].append(RunningJob(job, progress.get(job.pk)))
    found = [
        WorkerActivity(worker, tuple(by_token.pop(worker.token, ())))
        for worker in Worker.objects.using(using).order_by('pk')
    ]
    others = [each for jobs_ in by_token.values() for each in jobs_]
    return [*found, WorkerActivity(None, tuple(others))] if others else found


def progress_of(jobs: list[Job]) -> dict[int, Progress]:
    """How far these jobs are, by their primary keys, in one query; without those that have not told."""
    rows = Progress.objects.using(database())
    return rows.in_bulk([job.pk for job in jobs]) if jobs else {}


def _in_order(names: set[str]) -> list[str]:
    first = [name for name in queues.DEFAULT_QUEUES if name in names]
    return [*first, *sorted(names - set(first))]

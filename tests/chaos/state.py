"""What one run has done so far, and what the faults use: workers, jobs that count, acts that come later."""

import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from netbox_jobs.models import Job, Worker
from tests.app.jobs import Working
from tests.processes import RedisProcess, WorkerProcess


class State:
    """The notes of one run, and its workers."""

    redis: RedisProcess
    workers: list[WorkerProcess]

    queues = ('default', 'low', 'high', 'tests.app.work', 'tests.app.bulk')
    limit = 6.0  # seconds without a sign of life after which a worker is declared dead
    grace = 3.0  # seconds for which a runner that cannot be imported is waited for

    def __init__(
        self,
        *,
        seed: int,
        jobs: int,
        strikes: int,
        folder: Path,
        workers: int = 3,
        patience: float = 120,
        fast: bool = False,
    ) -> None:
        """Args:
        seed: Of the plan: which faults strike in which order, and which jobs are made.
        jobs: How many to enqueue; periodic ones bring more.
        strikes: How many faults.
        folder: For the logs of the workers.
        workers: How many at any time; every other one is a fast one.
        patience: Seconds in which everything must have ended when the last fault has struck.
        fast: Whether all workers are fast ones, and most jobs so short that their children have batches.
        """
        self.rng = random.Random(seed)
        self.seed, self.number, self.strikes, self.patience = seed, jobs, strikes, patience
        self.folder, self.started, self.size, self.fast = folder, 0, workers, fast
        self.enqueued: set[int] = set()
        self.rolled_back: set[str] = set()
        # Keys of deleted jobs, with those of the jobs that they followed.
        self.deleted: dict[int, int | None] = {}
        self.deleted_waiting: dict[int, int | None] = {}
        self.suspended: set[int] = set()
        self.cannot_complete: set[int] = set()
        self.stopped: dict[int, float] = {}
        self.canceled: dict[int, float] = {}
        self.pressed: list[set[int]] = []
        self.retried: dict[int, int] = {}
        self.fails: dict[int, int] = {}
        #: Queues that had a limit for a while: how many at once, and from when to when.
        self.limited_queues: list[tuple[str, int, float, float]] = []
        #: How many members each workflow has.
        self.members: dict[int, int] = {}
        #: After the fire: the crowd, the first job of a small tenant, an urgent job, and a late one.
        self.ordered: tuple[list[int], int, int, int] = ([], 0, 0, 0)
        self.paused_queues: list[tuple[str, float, float]] = []
        self.paused_schedules: list[tuple[int, float, float]] = []
        self.deaths: dict[tuple[int, int], tuple[float, str]] = {}
        self.blows: list[float] = []
        self.counts: Counter[str] = Counter()
        self.left_over: list[str] = []
        self.retired: list[WorkerProcess] = []
        self.waiting_acts: list[tuple[float, Callable[[], Any]]] = []

    def shuffled_workers(self) -> list[WorkerProcess]:
        """The workers in a random order, those that run a job first."""
        busy = Job.objects.running().values('worker')
        pids = set(Worker.objects.filter(token__in=busy).values_list('pid', flat=True))
        return sorted(self.rng.sample(self.workers, len(self.workers)), key=lambda worker: worker.pid not in pids)

    def struck(self, worker: WorkerProcess, *, by: str, suspended: bool = False) -> None:
        """Note when the jobs that this worker runs were struck, and whose death that is: a horse's or a worker's."""
        self.blow()
        tokens = Worker.objects.filter(pid=worker.pid).values_list('token', flat=True)
        for pk, attempt in Job.objects.running().filter(worker__in=list(tokens)).values_list('pk', 'attempt'):
            self.deaths[pk, attempt] = (time.time(), by)
            if suspended:
                self.suspended.add(pk)

    def blow(self) -> None:
        """Note that processes or sessions were ended now: one that was about to send job_end may not have."""
        self.blows.append(time.time())

    def replace(self, worker: WorkerProcess) -> None:
        """Start another in the place of this one."""
        self.workers.remove(worker)
        self.retired.append(worker)
        self.workers.append(self.start_worker())

    def later(self, seconds: float, act: Callable[[], Any]) -> None:
        """Do something after a while, and at the latest when all is healed."""
        self.waiting_acts.append((time.monotonic() + seconds, act))

    def enqueue(self, runner: type[Working], **arguments: Any) -> Job:
        """Enqueue a job that counts."""
        job = runner.enqueue(queue_name=self.rng.choice(self.queues), **arguments)
        self.enqueued.add(job.pk)
        if 'fails' in arguments:
            self.fails[job.pk] = arguments['fails']
        return job

    def start_worker(self) -> WorkerProcess:
        """Start one more worker; every other one is a fast one."""
        self.started += 1
        return WorkerProcess(
            self.folder / f'chaos-worker-{self.started}.log',
            '--all-queues',
            *(['--fast'] if self.fast or self.started % 2 else []),
            TEST_REDIS_URL=self.redis.url,
            TEST_CHAOS=str(self.folder),
            TEST_NETBOX_JOBS_WORKER_TIMEOUT=str(self.limit),
            TEST_NETBOX_JOBS_RUNNER_GRACE=str(self.grace),
        )

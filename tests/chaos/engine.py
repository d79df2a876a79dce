"""Runs jobs of many kinds in real workers while faults strike, and counts every job at the end."""

import random
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db import connection
from django.db.models import Count, Q
from django.test import override_settings
from django.utils import timezone
from redis.exceptions import RedisError

from netbox_jobs.models import Job, Worker
from netbox_jobs.signals import job_end
from tests.app import faults as within
from tests.app.jobs import Working, WorkingAgain, WorkingRetried, WorkingRetriedAgain
from tests.processes import RedisProcess, WorkerProcess

from . import faults
from .count import Report, count

GENERATIONS = 3  # so many occurrences of each periodic job are made to happen
AHEAD = 150  # so many jobs wait or run at any time, so that the workers have work while recovery mends what was lost
POLL = 0.2  # seconds between two looks


class Chaos:
    """One run: `Chaos(...).run()` returns the report."""

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
        self.folder, self._started, self._size, self._fast = folder, 0, workers, fast
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
        self.paused_queues: list[tuple[str, float, float]] = []
        self.paused_schedules: list[tuple[int, float, float]] = []
        self.deaths: dict[tuple[int, int], tuple[float, str]] = {}
        self.blows: list[float] = []
        self.counts: Counter[str] = Counter()
        self.left_over: list[str] = []
        self._retired: list[WorkerProcess] = []
        self._later: list[tuple[float, Callable[[], Any]]] = []

    def run(self) -> Report:
        """Strike, heal, wait, count."""
        begin = time.monotonic()
        self.redis = RedisProcess()
        job_end.connect(within.trace_end)  # what is canceled here ends here
        try:
            with override_settings(RQ_QUEUES={'default': {'URL': self.redis.url, 'DEFAULT_TIMEOUT': 60}}):
                self.workers = [self._start() for _ in range(self._size)]
                self._strike()
                self._heal()
                return count(self, time.monotonic() - begin)
        finally:
            job_end.disconnect(within.trace_end)
            self.redis.resume()
            for worker in (*getattr(self, 'workers', ()), *self._retired):
                worker.stop(5)
            self.redis.kill()

    # What the faults use

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
        """Note that processes or sessions were ended now: whoever was about to tell of an end may not have."""
        self.blows.append(time.time())

    def replace(self, worker: WorkerProcess) -> None:
        """Start another in the place of this one."""
        self.workers.remove(worker)
        self._retired.append(worker)
        self.workers.append(self._start())

    def later(self, seconds: float, act: Callable[[], Any]) -> None:
        """Do something after a while, and at the latest when all is healed."""
        self._later.append((time.monotonic() + seconds, act))

    def enqueue(self, runner: type[Working], **arguments: Any) -> Job:
        """Enqueue a job that counts."""
        job = runner.enqueue(queue_name=self.rng.choice(self.queues), **arguments)
        self.enqueued.add(job.pk)
        if 'fails' in arguments:
            self.fails[job.pk] = arguments['fails']
        return job

    # The run

    def _start(self) -> WorkerProcess:
        self._started += 1
        return WorkerProcess(
            self.folder / f'chaos-worker-{self._started}.log',
            '--all-queues',
            *(['--fast'] if self._fast or self._started % 2 else []),
            TEST_REDIS_URL=self.redis.url,
            TEST_CHAOS=str(self.folder),
            TEST_NETBOX_JOBS_WORKER_TIMEOUT=str(self.limit),
            TEST_NETBOX_JOBS_RUNNER_GRACE=str(self.grace),
        )

    def _strike(self) -> None:
        possible = [f for f in faults.ALL if connection.vendor != 'sqlite' or f is not faults.cut_database]
        self.rng.shuffle(possible)
        plan = [possible[index % len(possible)] for index in range(self.strikes)]
        self.rng.shuffle(plan)
        # Faults come as jobs end: the run is as fast as the machine, and none of them strikes an idle one.
        every = self.number / (len(plan) + 1)
        deadline = time.monotonic() + self.patience + self.number * 0.5
        while (plan or len(self.enqueued) < self.number) and time.monotonic() < deadline:
            ended = len(self.enqueued) - self._open().count()
            for _ in range(min(self.number - len(self.enqueued), AHEAD - len(self.enqueued) + ended)):
                self._enqueue()
            self._bring_forward()
            self._do_later()
            if plan and (ended >= sum(self.counts.values()) * every or ended >= self.number - 5):
                fault = plan.pop()
                try:
                    fault(self)
                except RedisError:
                    plan.insert(0, fault)  # Redis is down just now; later
                else:
                    self.counts[fault.__name__] += 1
            self._workers_live()
            time.sleep(POLL)
        self.left_over = [fault.__name__ for fault in plan]

    def _open(self) -> Any:
        """The jobs that are still to end, but for the next occurrences of periodic ones."""
        jobs = Job.objects.filter(status__in=('pending', 'running', 'scheduled'), name__startswith='Working')
        return jobs.exclude(
            status='scheduled', predecessor__isnull=False, crashes=0, retries=0, due__gt=int(time.time() * 1000)
        )

    def _enqueue(self) -> None:
        kind = self.rng.choice(
            ('short',) * (80 if self._fast else 8)
            + ('long', 'talking', 'periodic', 'cron', 'later', 'later', 'retried')
        )
        runner: type[Working] = self.rng.choice((Working, Working, WorkingAgain))
        if kind == 'retried':
            runner = self.rng.choice((WorkingRetried, WorkingRetriedAgain))
        more: dict[str, Any] = {
            'long': {'seconds': self.rng.uniform(0.5, 2)},
            'talking': {'lines': 100, 'seconds': 0.2},
            'periodic': {'interval': 60},
            'cron': {'cron': '0 3 * * *', 'timezone': 'Europe/Berlin'},
            'later': {'schedule_at': timezone.now() + timedelta(seconds=self.rng.uniform(0, 3))},
            'retried': {'fails': self.rng.choice((1, 1, 2, 3, 6)), 'interval': self.rng.choice((None, None, 60))},
        }.get(kind, {})
        self.enqueue(runner, **more)

    def _bring_forward(self) -> None:
        """Have the next occurrences of periodic jobs happen now, until there were enough of them."""
        waiting = Job.objects.filter(status='scheduled', crashes=0, releases=0, retries=0)
        waiting = waiting.filter(Q(predecessor__isnull=False) | Q(schedule__cron__gt=''))
        waiting = waiting.filter(due__gt=int(time.time() * 1000))
        slots = list(waiting.values_list('slot', flat=True))
        numbers = Job.objects.filter(schedule__in=slots).order_by().values_list('schedule').annotate(Count('pk'))
        young = [schedule for schedule, number in numbers if number < GENERATIONS]
        waiting.filter(slot__in=young).update(due=int(time.time() * 1000))

    def _do_later(self) -> None:
        now = time.monotonic()
        ready = [item for item in self._later if item[0] <= now]
        self._later = [item for item in self._later if item not in ready]
        for _when, act in ready:
            act()

    def _workers_live(self) -> None:
        for worker in list(self.workers):
            if worker.process.poll() is not None:
                # RQ needs Redis to start; systemd would start the worker again just so.
                self.blow()
                self.replace(worker)

    def _heal(self) -> None:
        """Wait until all that can end has ended."""
        deadline = time.monotonic() + self.patience
        while (self._later or self._open().exists()) and time.monotonic() < deadline:
            self._do_later()
            self._bring_forward()
            self._workers_live()
            time.sleep(POLL)

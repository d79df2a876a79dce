"""Runs jobs of many kinds in real workers while faults strike, and counts every job at the end."""

import random
import statistics
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db import connection, transaction
from django.db.models import Count
from django.test import override_settings
from django.utils import timezone
from redis.exceptions import RedisError

from netbox_jobs.models import Job, Schedule
from tests.app.jobs import Working, WorkingAgain
from tests.app.models import Trace
from tests.processes import RedisProcess, WorkerProcess

from . import faults

GENERATIONS = 3  # so many occurrences of each periodic job are made to happen


@dataclass
class Report:
    """What was done, and what must be nought."""

    seed: int
    seconds: float
    enqueued: int
    outcomes: Counter[str]
    struck: Counter[str]
    detection: list[float]
    wrong: dict[str, list[int]] = field(default_factory=dict)

    def __str__(self) -> str:
        detection = (
            f'median {statistics.median(self.detection):.1f} s, max {max(self.detection):.1f} s'
            if self.detection
            else 'none'
        )
        lines = [
            f'seed {self.seed}: {self.enqueued} jobs, {sum(self.struck.values())} faults, {self.seconds:.0f} s',
            'faults:    ' + ', '.join(f'{name} {count}' for name, count in sorted(self.struck.items())),
            'outcomes:  ' + ', '.join(f'{name} {count}' for name, count in sorted(self.outcomes.items())),
            f'detection: {detection} (from the death of a process to the end of its job)',
            *(f'{len(jobs):>6}  {what}{f": {jobs[:10]}" if jobs else ""}' for what, jobs in self.wrong.items()),
        ]
        return '\n'.join(lines)


class Chaos:
    """One run: `Chaos(...).run()` returns the report."""

    queues = ('default', 'low', 'high', 'tests.app.work', 'tests.app.bulk')
    limit = 6.0  # seconds without a sign of life after which a worker is declared dead

    def __init__(self, *, seed: int, jobs: int, strikes: int, folder: Path, workers: int = 3, patience: float = 120):
        self.rng = random.Random(seed)
        self.seed, self.number, self.strikes, self.patience = seed, jobs, strikes, patience
        self.folder, self._started, self._size = folder, 0, workers
        self.redis_down = False
        self.enqueued: set[int] = set()
        self.rolled_back: set[str] = set()
        self.deleted: set[int] = set()
        self.deleted_waiting: set[int] = set()
        self.suspended: set[int] = set()
        self._deaths: dict[tuple[int, int], float] = {}
        self._retired: list[WorkerProcess] = []
        self._later: list[tuple[float, Callable[[], Any]]] = []
        self._counts: Counter[str] = Counter()

    def run(self) -> Report:
        """Strike, heal, wait, count."""
        begin = time.monotonic()
        self.redis = RedisProcess()
        try:
            with override_settings(RQ_QUEUES={'default': {'URL': self.redis.url, 'DEFAULT_TIMEOUT': 60}}):
                self.workers = [self._start() for _ in range(self._size)]
                self._strike()
                self._heal()
                return self._report(time.monotonic() - begin)
        finally:
            self.redis.resume()
            for worker in (*getattr(self, 'workers', ()), *self._retired):
                worker.stop(5)
            self.redis.kill()

    # What the faults use

    def shuffled_workers(self) -> list[WorkerProcess]:
        """The workers in a random order."""
        return self.rng.sample(self.workers, len(self.workers))

    def struck(self, worker: WorkerProcess, *, suspended: bool = False) -> None:
        """Note when the jobs that this worker runs were struck."""
        from netbox_jobs.models import Worker

        tokens = Worker.objects.filter(pid=worker.pid).values_list('token', flat=True)
        for pk, attempt in Job.objects.running().filter(worker__in=list(tokens)).values_list('pk', 'attempt'):
            self._deaths[pk, attempt] = time.time()
            if suspended:
                self.suspended.add(pk)

    def replace(self, worker: WorkerProcess) -> None:
        """Start another in the place of this one."""
        self.workers.remove(worker)
        self._retired.append(worker)
        self.workers.append(self._start())

    def later(self, seconds: float, act: Callable[[], Any]) -> None:
        """Do something after a while, and at the latest when all is healed."""
        self._later.append((time.monotonic() + seconds, act))

    def revive_redis(self) -> None:
        """Start Redis again, empty."""
        self.redis.start()
        self.redis_down = False

    # The run

    def _start(self) -> WorkerProcess:
        self._started += 1
        return WorkerProcess(
            self.folder / f'chaos-worker-{self._started}.log',
            '--all-queues',
            TEST_REDIS_URL=self.redis.url,
            TEST_NETBOX_JOBS_WORKER_TIMEOUT=str(self.limit),
        )

    def _strike(self) -> None:
        possible = [f for f in faults.ALL if connection.vendor != 'sqlite' or f is not faults.cut_database]
        plan = [possible[index % len(possible)] for index in range(self.strikes)]
        self.rng.shuffle(plan)
        # Faults come as jobs end: the run is as fast as the machine, and none of them strikes an idle one.
        every = max(1, self.number // (len(plan) + 1))
        deadline = time.monotonic() + self.patience + self.number * 0.5
        while (plan or len(self.enqueued) < self.number) and time.monotonic() < deadline:
            ended = Job.objects.ended().filter(name__startswith='Working').count() + len(self.deleted)
            while len(self.enqueued) < min(self.number, ended + 40):
                self._enqueue()
            self._bring_forward()
            self._do_later()
            if plan and (ended >= (self.strikes - len(plan) + 1) * every or ended >= self.number - 5):
                fault = plan.pop()
                try:
                    fault(self)
                except RedisError:
                    plan.insert(0, fault)  # Redis is down just now; later
                else:
                    self._counts[fault.__name__] += 1
            self._workers_live()
            time.sleep(0.05)
        assert not plan, f'{len(plan)} faults could not strike in time'

    def _enqueue(self) -> None:
        queue = self.rng.choice(self.queues)
        runner = self.rng.choice((Working, Working, WorkingAgain))
        kind = self.rng.choice(('short', 'short', 'short', 'long', 'talking', 'periodic', 'later', 'rolled back'))
        if kind == 'rolled back':
            with transaction.atomic():
                job = runner.enqueue(queue_name=queue)
                self.rolled_back.add(str(job.job_id))
                transaction.set_rollback(True)
            return
        more: dict[str, Any] = {
            'long': {'seconds': self.rng.uniform(0.5, 2)},
            'talking': {'lines': 100, 'seconds': 0.2},
            'periodic': {'interval': 1},
            'later': {'schedule_at': timezone.now() + timedelta(seconds=self.rng.uniform(0, 3))},
        }.get(kind, {})
        self.enqueued.add(runner.enqueue(queue_name=queue, **more).pk)

    def _bring_forward(self) -> None:
        """Have the next occurrences of periodic jobs happen now, until there were enough of them."""
        young = Schedule.objects.filter(runner__contains='Working').annotate(n=Count('jobs')).filter(n__lt=GENERATIONS)
        waiting = Job.objects.filter(status='scheduled', predecessor__isnull=False, crashes=0, releases=0)
        keys = list(young.values_list('pk', flat=True))
        waiting.filter(slot__in=keys).update(due=int(time.time() * 1000))

    def _do_later(self, *, all_of_it: bool = False) -> None:
        now = time.monotonic()
        ready = [item for item in self._later if all_of_it or item[0] <= now]
        self._later = [item for item in self._later if item not in ready]
        for _when, act in ready:
            act()

    def _workers_live(self) -> None:
        for worker in list(self.workers):
            if worker.process.poll() is not None:
                # RQ needs Redis to start; systemd would start the worker again just so.
                self.replace(worker)

    def _heal(self) -> None:
        deadline = time.monotonic() + self.patience
        while self._later and time.monotonic() < deadline:
            self._do_later()
            time.sleep(0.05)
        while time.monotonic() < deadline:
            self._bring_forward()
            self._workers_live()
            jobs = Job.objects.filter(name__startswith='Working')
            left = jobs.filter(status__in=('pending', 'running')) | jobs.filter(status='scheduled', predecessor=None)
            left |= jobs.filter(status='scheduled', crashes__gt=0)
            if not left.exists():
                return
            time.sleep(0.1)

    # The count

    def _report(self, seconds: float) -> Report:
        jobs = {job.pk: job for job in Job.objects.filter(name__startswith='Working')}
        starts = Counter(Trace.objects.filter(what='start').values_list('job_pk', flat=True))
        ended = [job for job in jobs.values() if job.ended]
        chains = [job for job in ended if job.schedule_id and Schedule.objects.filter(pk=job.schedule_id).exists()]
        successors = Counter(job.predecessor_id for job in jobs.values() if job.predecessor_id)
        gone = self.deleted | self.deleted_waiting
        wrong = {
            'lost: committed, and neither there nor deleted': sorted(self.enqueued - jobs.keys() - gone),
            'not ended, and nothing that is to come': [
                job.pk
                for job in jobs.values()
                if not job.ended and not (job.status == 'scheduled' and job.predecessor_id)
            ],
            'completed and never run': [job.pk for job in ended if job.status == 'completed' and not starts[job.pk]],
            'run again without leave': [
                pk for pk, count in starts.items() if pk in jobs and count > 1 + jobs[pk].crashes
            ],
            'run although rolled back': [job.pk for job in jobs.values() if str(job.job_id) in self.rolled_back],
            'run although deleted while waiting': [pk for pk in self.deleted_waiting if starts[pk]],
            'back although deleted': sorted(gone & jobs.keys()),
            'periodic, ended, and without a successor': [job.pk for job in chains if not successors[job.pk]],
            'periodic with two successors': [pk for pk, count in successors.items() if pk and count > 1],
            'schedules with two waiting jobs': [
                row['schedule']
                for row in Job.objects.waiting().exclude(schedule=None).values('schedule').annotate(n=Count('pk'))
                if row['n'] > 1
            ],
        }
        detection = [
            job.completed.timestamp() - self._deaths[pk, job.attempt]
            for pk, job in jobs.items()
            if job.status == 'errored' and job.completed and (pk, job.attempt) in self._deaths
        ]
        return Report(
            self.seed, seconds, len(self.enqueued), Counter(job.status for job in jobs.values()), self._counts,
            [seconds for seconds in detection if seconds >= 0], wrong,
        )  # fmt: skip

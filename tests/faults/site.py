"""A site under load while one fault strikes: workers, a caller that enqueues all the time, and the count at the end."""

import os
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from django.db import DatabaseError, InterfaceError, connections
from django.db.models import F
from django.utils import timezone
from redis.exceptions import RedisError

from netbox_jobs.models import Job, Schedule
from tests.app.counted import Counted, CountedAgain, Starving
from tests.app.models import Thing
from tests.lifetime import tied
from tests.processes import ROOT, WorkerProcess, environment

from .servers import wait_until

#: Seconds without a heartbeat after which a worker is declared dead.
LIMIT = 10
_SCHEDULES = 5


class LoadedSite:
    """Workers on the servers of a case, and a thread that enqueues jobs as long as `enqueuing` is set."""

    def __init__(self, folder: Path, rate: float, workers: int = 3) -> None:
        """Args:
        folder: For logs, and for what runs note.
        rate: Jobs a second.
        workers: How many.
        """
        self.folder, self.rate = folder, rate
        self.enqueued: list[int] = []
        self.refused = 0
        self.workers: list[WorkerProcess] = []
        self.own: list[subprocess.Popen[bytes]] = []
        self.size = workers
        #: Whether the schedules of every minute run more often.
        self.bring_forward = True
        self.runs = folder / 'runs'
        self.runs.touch()
        os.environ['TEST_COUNTED'] = str(self.runs)
        os.environ['TEST_NETBOX_JOBS_WORKER_TIMEOUT'] = str(LIMIT)
        self._enqueuing = threading.Event()
        self._thread = threading.Thread(target=self._enqueue, daemon=True)

    def start(self) -> None:
        """Start all, and let some jobs run before anything strikes."""
        for number in range(_SCHEDULES):
            CountedAgain.enqueue_once(instance=Thing.objects.create(name=str(number)), interval=1)
        for _ in range(self.size):
            self.start_worker()
        self._enqueuing.set()
        self._thread.start()
        wait_until(lambda: Job.objects.filter(status='completed').count() > 30, 60, 'the first jobs')

    def start_worker(self, log: Path | None = None) -> WorkerProcess:
        """Start one more worker; every other one is a fast one."""
        number = len(self.workers)
        log = log or self.folder / f'worker-{number}.log'
        worker = WorkerProcess(log, *(['--fast'] if number % 2 else []))
        self.workers.append(worker)
        return worker

    def start_own_worker(self, **variables: str) -> None:
        """Start a worker by an interpreter of its own, with these variables from its first moment on."""
        with (self.folder / 'own-worker.log').open('wb') as log:
            command = tied([sys.executable, '-m', 'django', 'rqworker'])
            self.own.append(subprocess.Popen(command, env=environment(**variables), cwd=ROOT, stdout=log, stderr=log))

    def run_on(self, seconds: float) -> None:
        """Let time pass, and start a worker again that has ended, as a supervisor does."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._revive()
            time.sleep(min(0.5, max(0.0, deadline - time.monotonic())))

    def recover(self, most: float = 120) -> float:
        """Return the seconds until a job that is enqueued now has completed."""
        begun = time.monotonic()
        known = set(self.enqueued)

        def completed() -> bool:
            self._revive()
            new = [pk for pk in self.enqueued[-500:] if pk not in known]
            return Job.objects.filter(pk__in=new, status='completed').exists()

        wait_until(lambda: _fresh(completed), most, 'a job that was enqueued after the fault')
        return time.monotonic() - begun

    def finish(self, most: float = 240) -> None:
        """Enqueue no more, and wait until all that can end has ended."""
        self._enqueuing.clear()
        self._thread.join(90)
        open_ = Job.objects.filter(status__in=('pending', 'scheduled', 'running'), schedule=None)

        def over() -> bool:
            self._revive()
            return not open_.exists()

        with suppress(AssertionError):  # the count says which have not
            wait_until(lambda: _fresh(over), most, 'the end of all jobs')
        # The runs of schedules that have begun.
        with suppress(AssertionError):
            wait_until(lambda: _fresh(lambda: not Job.objects.running().exists()), 60, 'the end of all runs')

    def enqueue_for_one_moment(self, number: int) -> None:
        """Enqueue so many jobs that are due in three seconds."""
        moment = timezone.now() + timedelta(seconds=3)
        for first in range(0, number, 5000):
            made = Counted.enqueue_many([{}] * min(5000, number - first), schedule_at=moment)
            self.enqueued += [job.pk for job in made]

    def enqueue_starving(self, *, for_good: bool) -> None:
        """Enqueue a job that takes all the memory of its process."""
        self.enqueued.append(Starving.enqueue(for_good=for_good).pk)

    def is_drained(self) -> bool:
        """Return whether nothing waits but for a few that have just come."""
        return Job.objects.filter(status__in=('pending', 'scheduled'), schedule=None).count() < 10

    def put_back_a_day(self) -> dict[int, int]:
        """Have the next occurrences be due since yesterday; return the last job of each schedule."""
        day = timedelta(days=1)
        waiting = Job.objects.waiting().filter(schedule__interval=1)  # not the system jobs of workers
        waiting.update(
            status='scheduled', due=F('due') - int(day.total_seconds() * 1000), scheduled=F('scheduled') - day
        )
        return dict(waiting.values_list('schedule', 'pk'))

    def occurrences_since(self, before: dict[int, int]) -> dict[int, int]:
        """Return how many occurrences of each schedule have completed, from these jobs on."""
        return {
            schedule: Job.objects.filter(schedule=schedule, pk__gte=pk, status='completed').count()
            for schedule, pk in before.items()
        }

    def is_next_within(self, seconds: float) -> bool:
        """Return whether the next occurrence of each schedule is due within so many seconds."""
        due = Job.objects.filter(status__in=('scheduled', 'pending', 'running'), schedule__interval=1)
        most = (time.time() + seconds) * 1000
        return due.count() == due.filter(due__lte=most).count() == _SCHEDULES

    def close(self) -> None:
        """End the workers."""
        self._enqueuing.clear()
        for worker in self.workers:
            with suppress(Exception):
                worker.discard()
        for process in self.own:
            process.terminate()
            process.wait(30)

    def count(self, struck: tuple[float, float], gone: set[int], forgotten: set[int]) -> dict[str, Any]:
        """Count what was lost, and what ran twice.

        Args:
            struck: When the fault began and when it was over, in seconds since the epoch.
            gone: The jobs that the database itself has lost; later ones may have got their keys.
            forgotten: The jobs whose last changes it may have lost: it may have a run of theirs once more.
        """
        jobs = {job.pk: job for job in Job.objects.all()}
        starts: Counter[int] = Counter()
        began: dict[tuple[int, str], float] = {}
        intervals: dict[int, list[tuple[float, float]]] = defaultdict(list)
        for line in self.runs.read_text().splitlines():
            what, pk, pid, moment = line.split()
            if what == 'start':
                starts[int(pk)] += 1
                began[int(pk), pid] = float(moment)
            elif (int(pk), pid) in began:
                intervals[int(pk)].append((began.pop((int(pk), pid)), float(moment)))
        unended = {pk: moment for (pk, _pid), moment in began.items()}
        lost = [pk for pk in self.enqueued if pk not in jobs and pk not in gone]
        lost += [pk for pk, job in jobs.items() if not job.ended and job.schedule_id is None]
        starts.subtract(pk for pk in forgotten if starts[pk] > 1)
        twice = [pk for pk, job in jobs.items() if pk not in gone and starts[pk] > 1 + job.crashes + job.retries]
        for pk, moment in unended.items():
            intervals[pk].append((moment, moment))
        twice += [pk for pk, found in intervals.items() if pk not in gone and _overlap(found)]
        waiting = Counter(job.schedule_id for job in jobs.values() if not job.ended)
        within = {pk for pk, found in intervals.items() if any(b >= struck[0] and a <= struck[1] for a, b in found)}
        within |= {pk for pk, moment in unended.items() if moment <= struck[1]}
        errored = [job for job in jobs.values() if job.status == 'errored']
        return {
            'jobs': len(jobs),
            'refused': self.refused,
            'lost': sorted(set(lost)),
            'twice': sorted(set(twice)),
            'chains': [pk for pk in Schedule.objects.values_list('pk', flat=True) if waiting[pk] != 1],
            'errored': len(errored),
            'errors': Counter(job.error.splitlines()[-1][:90] for job in errored if job.error).most_common(3),
            'struck': len(within),
        }

    def _revive(self) -> None:
        for place, worker in enumerate(self.workers):
            if worker.process.poll() is not None:
                worker.discard()
                log = self.folder / f'worker-{place}-again.log'
                self.workers[place] = WorkerProcess(log, *(['--fast'] if place % 2 else []))

    def _enqueue(self) -> None:
        number = 0
        while self._enqueuing.is_set():
            number += 1
            runner = CountedAgain if number % 3 == 0 else Counted
            try:
                job = runner.enqueue(seconds=0.3 if number % 10 == 0 else 0, write=number % 2 == 0)
                self.enqueued.append(job.pk)
                if number % 20 == 0 and self.bring_forward:
                    later = Job.objects.filter(status='scheduled', schedule__isnull=False, crashes=0)
                    later.update(due=int(time.time() * 1000))
            except (DatabaseError, InterfaceError, RedisError):
                self.refused += 1
                with suppress(Exception):
                    connections.close_all()
            time.sleep(1 / self.rate)
        connections.close_all()


def _fresh(condition: Callable[[], bool]) -> bool:
    try:
        return condition()
    except Exception:
        connections.close_all()
        return False


def _overlap(intervals: list[tuple[float, float]]) -> bool:
    """Whether a run began before the one before it had come to its own end."""
    ordered = sorted(intervals)
    return any(after[0] < before[1] for before, after in pairwise(ordered))

"""Runs jobs of many kinds in real workers while faults strike, and counts every job at the end."""

import time
from datetime import timedelta
from typing import Any

from django.db import connection
from django.db.models import Count, Q
from django.test import override_settings
from django.utils import timezone
from redis.exceptions import RedisError

from netbox_jobs.models import Job
from netbox_jobs.signals import job_end
from tests.app import faults as within
from tests.app.counted import (
    WorkingByKey,
    WorkingInSteps,
    WorkingInTurns,
    WorkingLimited,
    WorkingRated,
    WorkingUnique,
)
from tests.app.jobs import Working, WorkingAgain, WorkingRetried, WorkingRetriedAgain
from tests.app.waiting import WorkingAsleep, WorkingSignaled
from tests.model.observer import observing
from tests.model.replay import replayed
from tests.processes import RedisProcess

from . import faults, flows, order, signaled
from .count import Report, count
from .state import State

GENERATIONS = 3  # so many occurrences of each periodic job are made to happen
BURSTS = {'limited': 5, 'keyed': 3, 'rated': 10}  # so many of a kind come together: more than may run, or begin
AHEAD = 150  # so many jobs wait or run at any time, so that the workers have work while recovery repairs what was lost
_OTHERS: dict[str, type[Working]] = {
    'limited': WorkingLimited, 'keyed': WorkingByKey, 'unique': WorkingUnique, 'steps': WorkingInSteps,
    'asleep': WorkingAsleep, 'signaled': WorkingSignaled, 'rated': WorkingRated, 'in turns': WorkingInTurns,
    'ordered': WorkingAgain,
}  # fmt: skip
POLL = 0.2  # seconds between two looks


class Chaos(State):
    """One run: `Chaos(...).run()` returns the report."""

    def run(self) -> Report:
        """Strike, heal, wait, count; and replay what was written to the rows."""
        with observing():
            return self._run()

    def _run(self) -> Report:
        begin = time.monotonic()
        self.redis = RedisProcess()
        job_end.connect(within.trace_end)  # what is canceled here ends here
        try:
            with override_settings(RQ_QUEUES={'default': {'URL': self.redis.url, 'DEFAULT_TIMEOUT': 60}}):
                self.workers = [self.start_worker() for _ in range(self.size)]
                self._strike()
                self._heal()
                order.begin(self)
                self._heal()
                return count(self, time.monotonic() - begin, replayed())
        finally:
            job_end.disconnect(within.trace_end)
            self.redis.resume()
            for worker in (*getattr(self, 'workers', ()), *self.retired):
                worker.stop(5)
            self.redis.kill()

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
        kinds = ('short',) * (80 if self.fast else 8)
        kinds += ('long', 'talking', 'periodic', 'cron', 'later', 'later', 'retried', *_OTHERS)
        kind = self.rng.choice(kinds)
        runner: type[Working] = self.rng.choice((Working, Working, WorkingAgain))
        if kind == 'retried':
            runner = self.rng.choice((WorkingRetried, WorkingRetriedAgain))
        runner = _OTHERS.get(kind, runner)
        more: dict[str, Any] = {
            'asleep': {'seconds': self.rng.uniform(0.1, 3)},
            'long': {'seconds': self.rng.uniform(0.5, 2)},
            'talking': {'lines': 100, 'seconds': 0.2},
            'periodic': {'interval': 60},
            'cron': {'cron': '0 3 * * *', 'timezone': 'Europe/Berlin'},
            'later': {'schedule_at': timezone.now() + timedelta(seconds=self.rng.uniform(0, 3))},
            'retried': {'fails': self.rng.choice((1, 1, 2, 3, 6)), 'interval': self.rng.choice((None, None, 60))},
            'limited': {'seconds': self.rng.uniform(0.05, 0.5), 'interval': self.rng.choice((None, None, 60))},
            'keyed': {'key': self.rng.choice('abc'), 'seconds': 0.2, 'fails': self.rng.choice((0, 0, 1))},
            'unique': {'page': self.rng.randrange(3), 'seconds': 0.3},
            'in turns': {'tenant': self.rng.choice('aab'), 'seconds': self.rng.uniform(0, 0.2)},
            'ordered': {'priority': self.rng.choice((0, 3, 7, 9)), 'seconds': self.rng.uniform(0, 0.2)},
            'steps': {'seconds': self.rng.uniform(0, 0.6), 'fails': self.rng.choice((0, 0, 1, 2))},
        }.get(kind, {})
        for _ in range(BURSTS.get(kind, 1)):
            job = self.enqueue(runner, **more)
        if kind == 'signaled':
            signaled.signal_later(self, job)
        if len(self.enqueued) % 20 == 0:
            flows.begin(self)

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
        ready = [item for item in self.waiting_acts if item[0] <= now]
        self.waiting_acts = [item for item in self.waiting_acts if item not in ready]
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
        while (self.waiting_acts or self._open().exists() or flows.are_open()) and time.monotonic() < deadline:
            self._do_later()
            self._bring_forward()
            self._workers_live()
            time.sleep(POLL)

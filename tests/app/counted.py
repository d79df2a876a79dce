"""Runners whose runs are counted: in a file that no server loses, in their steps, and against their limits."""

import os
import resource
import time
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import ClassVar

from netbox_jobs.jobs import JobRunner, Limit, Rate, Unique

from . import faults
from .jobs import Working, WorkingAgain
from .traces import trace


class WorkingLimited(WorkingAgain):
    """Two at once."""

    class Meta:
        name = 'Working, limited'
        on_crash = 'retry'
        max_crashes = 20
        concurrency = 2


class WorkingByKey(WorkingAgain):
    """One at once for each key; retried when it has failed."""

    class Meta:
        name = 'Working, by key'
        on_crash = 'retry'
        max_crashes = 20
        max_retries = 4
        retry_backoff = (0.1, 0.3, 0.5)
        limit = Limit(1, key='key')

    def run(self, key='', **kwargs):
        super().run(**kwargs)


class WorkingRated(WorkingAgain):
    """Four in two seconds."""

    class Meta:
        name = 'Working, rated'
        on_crash = 'retry'
        max_crashes = 20
        rate = Rate(4, per=2)


class WorkingInTurns(WorkingAgain):
    """The keys take turns."""

    class Meta:
        name = 'Working, in turns'
        on_crash = 'retry'
        max_crashes = 20
        fair_by = 'tenant'

    def run(self, tenant='', **kwargs):
        super().run(**kwargs)


class WorkingUnique(Working):
    """One for each page, as long as it waits or runs."""

    class Meta:
        name = 'Working, unique'
        unique = Unique(by=('arguments.page',))

    def run(self, page=0, **kwargs):
        super().run(**kwargs)


class WorkingInSteps(WorkingAgain):
    """Three steps, each of which leaves a trace in the transaction that stores it; it may die or fail between them."""

    class Meta:
        name = 'Working, in steps'
        on_crash = 'retry'
        max_crashes = 20
        max_retries = 4
        retry_backoff = (0.1, 0.3, 0.5)

    def run(self, seconds=0.0, how='', fails=0):
        trace(self.job, 'start')
        for number in range(3):
            with self.step(f'step {number}') as step:
                if not step.done:
                    trace(self.job, f'step {number}')
                    step.result = number
            time.sleep(seconds / 3)
            if how and number == self.job.attempt == 1:
                faults.befall(how)
            if number == self.job.retries < fails:
                raise RuntimeError(f'fails after step {number}')
        trace(self.job, 'end')


def note(path: str, *words: object) -> None:
    """Add a line to a file, in one write that no other process interrupts."""
    with Path(path).open('ab', buffering=0) as file:
        file.write((' '.join(map(str, (*words, f'{time.time():.3f}'))) + '\n').encode())


class Counted(JobRunner):
    """Notes its start and its end in a file; may write to the database in between."""

    class Meta:
        name = 'Counted'

    def run(self, path='', seconds=0.0, write=False):
        path = path or os.environ['TEST_COUNTED']
        note(path, 'start', self.job.pk, os.getpid())
        time.sleep(seconds)
        if write:
            trace(self.job, 'start')
        note(path, 'end', self.job.pk, os.getpid())


class CountedAgain(Counted):
    """The same, and to be run again after a crash."""

    class Meta:
        name = 'Counted again'
        on_crash = 'retry'


class Starving(Counted):
    """Takes all the memory that its process may have; keeps it beyond its end if `for_good`."""

    class Meta:
        name = 'Starving'

    taken: ClassVar[list[bytearray]] = []

    def run(self, path='', for_good=False):
        note(path or os.environ['TEST_COUNTED'], 'start', self.job.pk, os.getpid())
        used = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + 32 * 1024**2, resource.RLIM_INFINITY))
        taken = self.taken if for_good else []
        for size in (1024**2, 1024, 64):
            with suppress(MemoryError) if size > 64 else nullcontext():
                while True:
                    taken.append(bytearray(size))


class Soaking(JobRunner):
    """What the endurance test runs: a line of the log, progress, and now and then some time."""

    class Meta:
        name = 'Soaking'

    def run(self, number=0):
        self.logger.info('number %s', number)
        if number % 10 == 0:
            self.job.data = {'number': number}
            time.sleep(0.05)

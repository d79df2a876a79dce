"""Runners that sleep and wait for signals."""

import asyncio
import threading
from datetime import timedelta

from django.db import transaction

from netbox_jobs.core import clock
from netbox_jobs.exceptions import JobFailed
from netbox_jobs.jobs import JobRunner
from netbox_jobs.models import Job, JobStep

from .jobs import WorkingAgain
from .models import Thing
from .stepping import note
from .traces import trace


class Sleeping(JobRunner):
    """Two steps with sleeps between them."""

    class Meta:
        name = 'Sleeping'
        on_crash = 'retry'
        max_crashes = 1000

    def run(self, path, hours=1.0, times=1):
        self.job.data = 'begun'
        self.step('before', note, path, 'before')
        for number in range(times):
            self.sleep(hours=hours)
            self.step(f'after {number}', note, path, f'after-{number}')
        self.job.data = 'done'


class LimitedSleeping(Sleeping):
    class Meta:
        name = 'Sleeping, one at a time'
        concurrency = 1


class WorkingAsleep(WorkingAgain):
    """Of the chaos test: leaves its traces in steps, and sleeps in between."""

    class Meta(WorkingAgain.Meta):
        name = 'Working, and sleeping'

    def run(self, seconds=0.0):
        self.step('first', trace, self.job, 'start')
        self.sleep(seconds=seconds)
        self.step('second', trace, self.job, 'end')


class WorkingSignaled(WorkingAgain):
    """Of the chaos test: waits for two signals, and keeps what they brought."""

    class Meta(WorkingAgain.Meta):
        name = 'Working, and signaled'

    def run(self):
        self.step('first', trace, self.job, 'start')
        self.job.data = [self.wait_for('go'), self.wait_for('go')]
        self.step('second', trace, self.job, 'end')


class Catching(JobRunner):
    """Catches what ends its run."""

    class Meta:
        name = 'Catching'
        max_retries = 1
        retry_backoff = (0,)

    def run(self, path, how):
        caught: type[BaseException] = Exception if how == 'exception' else BaseException
        try:
            self.sleep(hours=1)
            note(path, 'slept')
        except caught:
            note(path, 'caught')
            if how == 'again':
                self.step('never', note, path, 'never')
        finally:
            if how == 'finally' and self.job.attempt == 1:
                raise RuntimeError('in finally')
        note(path, 'end')


class InTransaction(JobRunner):
    class Meta:
        name = 'Sleeping in a transaction'

    def run(self):
        with transaction.atomic():
            Thing.objects.create(name='written')
            self.sleep(hours=1)


class Named(JobRunner):
    """Its sleeps come in another order in each run."""

    class Meta:
        name = 'Sleeping by name'

    def run(self, path):
        names = ['a', 'b']
        if self.job.steps.exists():
            names.reverse()
        for name in names:
            self.sleep(timedelta(hours=1), name=name)
        note(path, 'end')


class Approved(JobRunner):
    """Waits for signals."""

    class Meta:
        name = 'Approved'
        on_crash = 'retry'
        max_crashes = 1000

    def run(self, times=1, timeout=None, expected=False):
        answers = []
        for _number in range(times):
            try:
                answers.append(self.wait_for('approved', timeout=timeout))
            except TimeoutError:
                if not expected:
                    raise
                answers.append('late')
        self.job.data = answers


class ApprovedThenFailing(JobRunner):
    class Meta:
        name = 'Approved, then failing'

    def run(self):
        answer = self.wait_for('approved')
        if self.job.retry_of_id is None:
            raise JobFailed('not yet')
        self.job.data = [answer, self.wait_for('approved')]


class AsyncWaiting(JobRunner):
    class Meta:
        name = 'Waiting in a coroutine'

    async def run(self, path):
        async def before():
            note(path, 'before')

        await self.astep('before', before)
        await asyncio.gather(self.asleep(hours=1), self.asleep(hours=2))
        self.job.data = await self.await_for('approved', timeout=timedelta(hours=1))


class Versioned(JobRunner):
    class Meta:
        name = 'Versioned'
        version = 1
        max_retries = 3
        retry_backoff = (0,)

    def run(self, path):
        self.step('a', note, path, f'a{type(self).Meta.version}')
        self.sleep(hours=1)
        self.step('b', note, path, f'b{type(self).Meta.version}')


class MistakenWaits(JobRunner):
    class Meta:
        name = 'Mistaken waits'

    def run(self, how):
        if how == 'length':
            self.sleep(3600)
        elif how == 'for ever':
            self.sleep(days=999_999_999)
        elif how == 'name':
            self.sleep(hours=1, name='x' * 201)
        elif how == 'signal':
            self.wait_for('')
        elif how == 'timeout':
            self.wait_for('approved', 3)


def unstorable():
    """An argument that an immediate job may have, and no other."""
    return threading.Lock()


class Unstorable(JobRunner):
    class Meta:
        name = 'Unstorable'

    def run(self, lock):
        self.sleep(hours=1)


def end_sleep(job):
    """The time of its sleep, or of its wait, has come."""
    JobStep.objects.filter(job=job, completed=None).update(until=clock.now_ms() - 1)
    Job.objects.filter(pk=job.pk).update(due=clock.now_ms() - 1)

"""Runners of the tests, by one name for all: those of the modules beside this one can be imported from here too."""

import asyncio
import os
import resource
import time
from pathlib import Path

from asgiref.sync import sync_to_async
from django.db import transaction

from netbox_jobs.exceptions import JobFailed
from netbox_jobs.jobs import JobRunner, current_job, system_job

from . import offered  # noqa: F401
from .crashing import (  # noqa: F401
    Breaking,
    Dying,
    DyingAgain,
    Lingering,
    Locking,
    Spawning,
    Stubborn,
    Stuck,
    Telltale,
    connections_made,
)
from .models import Thing
from .overriding import (  # noqa: F401
    Attaching,
    Deep,
    Defaulting,
    Detailing,
    Emptying,
    Moving,
    Overriding,
    OwnQueue,
    Rearranging,
    TakingAll,
    Translating,
    function_with_another_name,
    function_with_job_by_name,
    function_with_job_last,
)
from .traces import trace
from .working import (  # noqa: F401
    Working,
    WorkingAgain,
    WorkingRetried,
    WorkingRetriedAgain,
    WorkingTwice,
    WorkingUntilStopped,
)


class Plain(JobRunner):
    class Meta:
        name = 'Plain'

    def run(self, **kwargs):
        trace(self.job, 'start')
        self.job.data = {key: str(value) for key, value in kwargs.items()}
        trace(self.job, 'end')


class Quiet(JobRunner):
    """Does nothing, and touches no database."""

    class Meta:
        name = 'Quiet'

    def run(self, **kwargs):
        pass


class Talking(JobRunner):
    class Meta:
        name = 'Talking'

    def run(self, lines=4, **kwargs):
        for number in range(lines):
            self.logger.info('line %s of %s', number + 1, lines)


class Failing(JobRunner):
    class Meta:
        name = 'Failing'

    def run(self, message='expected', **kwargs):
        self.job.data = {'seen': True}
        raise JobFailed(message)


class Erring(JobRunner):
    class Meta:
        name = 'Erring'

    def run(self, **kwargs):
        self.job.data = {'seen': True}
        raise RuntimeError('unexpected')


class Sleeping(JobRunner):
    """Runs until told: it waits for a file to appear, so that tests need no timing."""

    class Meta:
        name = 'Sleeping'

    def run(self, until=None, seconds=60, **kwargs):
        trace(self.job, 'start')
        deadline = time.monotonic() + seconds
        while not (until and os.path.exists(until)) and time.monotonic() < deadline:
            time.sleep(0.05)
        trace(self.job, 'end')


@system_job(interval=60)
class Housekeeping(JobRunner):
    class Meta:
        name = 'Housekeeping'

    def run(self):
        trace(self.job, 'start')


def plain_function(job, word='none'):
    job.data = {'word': word}
    trace(job, 'start')


def failing_function(job):
    raise ValueError('no')


class Narrating(JobRunner):
    class Meta:
        name = 'Narrating'

    def run(self, count=0, until=None, **kwargs):
        if count:
            for number in range(count):
                self.logger.info('line %s', number)
            time.sleep(60)
        with transaction.atomic():
            Thing.objects.create()
            self.logger.info('within the transaction')
            deadline = time.monotonic() + 60
            while not os.path.exists(until) and time.monotonic() < deadline:
                time.sleep(0.05)
            raise RuntimeError('rolled back')


class Flaky(JobRunner):
    """Fails as often as its arguments say, then succeeds."""

    class Meta:
        name = 'Flaky'
        max_retries = 3
        retry_backoff = [0]

    def run(self, failures=1, expected=False, **kwargs):
        trace(self.job, 'start')
        self.logger.info('attempt %s', self.job.attempt)
        self.job.data = {'attempt': self.job.attempt}
        if self.job.attempt <= failures:
            raise JobFailed('expected') if expected else RuntimeError(f'attempt {self.job.attempt}')


class FlakyOnPurpose(Flaky):
    class Meta:
        name = 'Flaky on purpose'
        max_retries = 2
        retry_backoff = 0
        retry_on = (JobFailed, ConnectionError)


class Orderly(JobRunner):
    """Ends in order when it is stopped, and cleans up."""

    class Meta:
        name = 'Orderly'
        stop_grace = 20

    def run(self, seconds=60, **kwargs):
        trace(self.job, 'start')
        deadline = time.monotonic() + seconds
        try:
            while time.monotonic() < deadline:
                self.check_canceled()
                time.sleep(0.05)
        finally:
            trace(self.job, 'cleaned')


class Asynchronous(JobRunner):
    class Meta:
        name = 'Asynchronous'

    async def run(self, seconds=0, **kwargs):
        await sync_to_async(trace)(self.job, 'start')
        self.logger.info('in a coroutine')
        try:
            await asyncio.sleep(seconds)
            self.job.data = {'job': current_job().pk}
        finally:
            await sync_to_async(trace)(self.job, 'cleaned')


async def coroutine_function(job, word='none'):
    await asyncio.sleep(0)
    job.data = {'word': word}


class Counting(JobRunner):
    """Tells how far it is."""

    class Meta:
        name = 'Counting'

    def run(self, total=5, until=None, **kwargs):
        for number in self.track(range(total), message='counting'):
            self.logger.info('number %s', number)
        deadline = time.monotonic() + 60
        while until and not os.path.exists(until) and time.monotonic() < deadline:
            time.sleep(0.05)


class Chatty(JobRunner):
    """Writes many lines, and measures what that costs in memory."""

    class Meta:
        name = 'Chatty'
        job_timeout = 170

    def run(self, lines, **kwargs):
        early = 0
        for number in range(lines):
            self.logger.info('line %s', number)
            if number == 10_000:
                early = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self.job.data = {'grown': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - early}


def wait_or_fail(path):
    """A job of RQ's own: waits for good, unless the file is there; then it fails."""
    if os.path.exists(path):
        raise ValueError('It is there.')
    Path(path).with_suffix('.begun').touch()
    time.sleep(300)

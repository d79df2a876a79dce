"""Runners with rates."""

import time

from django.db import transaction

from netbox_jobs.jobs import JobRunner, Limit, Rate

from .traces import trace


class Hourly(JobRunner):
    """Two begin within an hour."""

    class Meta:
        rate = Rate(2, per=3600)

    def run(self, **kwargs):
        trace(self.job, 'start')


class HourlyFlaky(JobRunner):
    """Two attempts begin within an hour; each first attempt fails."""

    class Meta:
        rate = Rate(2, per=3600)
        max_retries = 1
        retry_backoff = (1,)

    def run(self, **kwargs):
        if self.job.attempt == 1:
            raise RuntimeError('once')


class HourlyOfTenant(JobRunner):
    """One of each tenant begins within an hour, and one of all runs at once."""

    class Meta:
        rate = Rate(1, per=3600, key='tenant')
        limit = Limit(1)

    def run(self, tenant='main', **kwargs):
        pass


class Brisk(JobRunner):
    """Four begin within a second; some die."""

    class Meta:
        rate = Rate(4, per=1, name='brisk')
        on_crash = 'retry'
        max_crashes = 50

    def run(self, seconds=0.0):
        time.sleep(seconds)


class Calling(JobRunner):
    """Makes calls of an API that keep to a rate."""

    def run(self, calls=1, rate='api', key=None, timeout=None, rolled_back=False):
        for _ in range(calls):
            if not rolled_back:
                self.rate(rate, key).acquire(timeout)
                continue
            try:
                with transaction.atomic():
                    self.rate(rate, key).acquire(timeout)
                    raise LookupError
            except LookupError:
                pass
        self.job.data = 'called'


class CallingAsync(JobRunner):
    """The same in a coroutine."""

    async def run(self, calls=1, timeout=None):
        for _ in range(calls):
            await self.rate('api').aacquire(timeout)
        self.job.data = 'called'

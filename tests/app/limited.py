"""Runners with limits. Each run holds one of as many file locks as may run at once, which its process loses with it."""

import fcntl
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from netbox_jobs.jobs import JobRunner, Limit

from .traces import trace


@contextmanager
def one_of(most: int, folder: str, job: object) -> Iterator[None]:
    """Hold one of the locks; leave a trace of 'overlap' if there is none to hold."""
    for number in range(most):
        lock = os.open(f'{folder}/{number}.lock', os.O_CREAT | os.O_RDWR)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        break
    else:
        trace(job, 'overlap')
        lock = None
    try:
        yield
    finally:
        if lock is not None:
            os.close(lock)


class Two(JobRunner):
    """Runs until a file is there, or for so many seconds; two at once."""

    class Meta:
        concurrency = 2
        on_crash = 'retry'
        max_crashes = 50

    def run(self, folder='', seconds=0.0, until='', die=False, **kwargs):
        with one_of(2, folder, self.job):
            trace(self.job, 'start')
            if die and self.job.attempt == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            deadline = time.monotonic() + (seconds or 60 if until else seconds)
            while time.monotonic() < deadline and not (until and Path(folder, until).exists()):
                time.sleep(0.01)
            trace(self.job, 'end')


class OfTenant(JobRunner):
    """One at once of each tenant."""

    class Meta:
        limit = Limit(1, key='tenant')

    def run(self, tenant='main', **kwargs):
        trace(self.job, 'start')


class OfRegion(JobRunner):
    class Meta:
        limit = Limit(1, key=lambda tenant, **_: tenant[:2], name='region')

    def run(self, tenant, **kwargs):
        pass


class Flaky(JobRunner):
    """One at once; its first attempt fails."""

    class Meta:
        concurrency = 1
        max_retries = 1
        retry_backoff = (3600,)

    def run(self, **kwargs):
        if self.job.attempt == 1:
            raise RuntimeError('once')
